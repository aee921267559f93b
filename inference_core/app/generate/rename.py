"""Rename the reference in code and text: `notes`, `note`, `Notes`, `Note`, `NOTES`, and the package `shop`."""

from __future__ import annotations

import re

from inference_core.app.generate.names import Names

REFERENCE = Names("notes", "note")
PACKAGE = "shop"
# A word within an identifier ends where the case changes, at `_`, or where the identifier ends.
LOWER = re.compile(r"(?<![A-Za-z])(notes|note)(?![a-z])")
UPPER = re.compile(r"(?<![A-Z])(NOTES|NOTE)(?![A-Z])")
CAMEL = re.compile(r"(?<![A-Z])(Notes|Note)(?![a-z])")
# The name of a distribution and of a service has '-' where a package has '_'.
IN_PACKAGE = re.compile(
    rf'(?P<hyphens>(?<=name=")|(?<=name = ")|(?<="app_name"\] == "))?(?<![A-Za-z0-9]){PACKAGE}(?![A-Za-z0-9])'
)
PATH = re.compile(r"(?<=/)notes(?![a-z_.])")
ARTICLE = re.compile(r"\b([Aa])(?= (?:notes|note)\b)")


def renamed(text: str, names: Names | None, package: str) -> str:
    """Return a text of the reference for another package. With `names`, its feature is renamed as well."""
    text = IN_PACKAGE.sub(lambda found: package if found["hyphens"] is None else package.replace("_", "-"), text)
    if names is None or names == REFERENCE:
        return text
    forms = {REFERENCE.plural: names.plural, REFERENCE.singular: names.singular}
    if names.singular[0] in "aeiou":
        text = ARTICLE.sub(lambda found: f"{found[1]}n", text)
    text = PATH.sub(lambda _: names.plural.replace("_", "-"), text)
    text = LOWER.sub(lambda found: forms[found[1]], text)
    text = UPPER.sub(lambda found: forms[found[1].lower()].upper(), text)
    return CAMEL.sub(lambda found: camel_case(forms[found[1].lower()]), text)


def camel_case(name: str) -> str:
    """Return `blog_posts` as `BlogPosts`."""
    return "".join(part.capitalize() for part in name.split("_"))
