"""The names of a generated feature: checked, and in each form that code and text use."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from dataclasses import dataclass

from inference_core.app.generate.errors import GenerateError

LONGEST = 24
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Words whose plural is their singular.
SAME = {"aircraft", "data", "equipment", "information", "news", "series", "species", "status"}
IRREGULAR = {"movies": "movie", "cookies": "cookie", "statuses": "status", "people": "person", "children": "child"}
# Endings of singulars that look like plurals.
SINGULAR_ENDINGS = ("ss", "us", "is")
PLURAL_ENDINGS = (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("s", ""))
SHORTEST_STEM = 2


@dataclass(frozen=True, slots=True)
class Names:
    """The plural, which names the feature, and the singular, both in snake case: `blog_posts`, `blog_post`."""

    plural: str
    singular: str


def feature_names(plural: str, singular: str | None) -> Names:
    """Return the names of a feature.

    Raises:
        GenerateError: A name cannot be that of a package, a table and a class.
    """
    check_name(plural, "the feature")
    if singular is not None:
        check_name(singular, "--singular")
    return Names(plural, singular_of(plural) if singular is None else singular)


def check_name(name: str, what: str, remedy: str = "choose another name") -> None:
    """Check that a name can be that of a package. `remedy` ends the text of errors.

    Raises:
        GenerateError: It cannot.
    """
    if not name.isascii() or not NAME.fullmatch(name) or len(name) > LONGEST:
        raise GenerateError(
            f"{what} {name!r}: the name must consist of at most {LONGEST} lower-case letters, digits and single '_', "
            f"and start with a letter; {remedy}"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise GenerateError(f"{what} {name!r}: this is a keyword of Python; {remedy}")
    if name in sys.stdlib_module_names or hasattr(builtins, name):
        raise GenerateError(f"{what} {name!r}: Python has a module or function of this name; {remedy}")


def singular_of(plural: str) -> str:
    """Return the singular of the last word by simple rules of English. It is the plural itself if none applies."""
    start, _, word = plural.rpartition("_")
    return f"{start}_{_singular_word(word)}" if start else _singular_word(word)


def _singular_word(word: str) -> str:
    if word in SAME or word.endswith(SINGULAR_ENDINGS):
        return word
    if word in IRREGULAR:
        return IRREGULAR[word]
    for ending, instead in PLURAL_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
            return word.removesuffix(ending) + instead
    return word
