"""What all pages share: the templates and their filters, the style, and the policy that forbids all requests."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from loadgate import units
from loadgate.report.html.facts import moment
from loadgate.report.text import OUTCOME_WORDS

PAGE = files("loadgate.report") / "page"

_UNIT = re.compile(r"(?<=\d) (?=(?:%(?!\})|points|ms|s|min|h|days|B|[kMGT]B|cores)(?!\w))")
"""The space between a number and its unit, and not the one at the end of a block of a template."""


_NAME_PART = re.compile(r"(?<=[_./])(?=\w)")


def environment(*filters: Callable[..., object]) -> Environment:
    """Return the environment of the templates, with the formats of numbers and the filters of a page."""
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (
        units.change, units.clock, units.count, units.duration, units.figure, units.given, units.given_percentage,
        units.milliseconds, units.percentage, units.quantity, units.size, moment, *filters,
    )  # fmt: skip
    made.filters |= {format_.__name__: format_ for format_ in formats} | {"word": OUTCOME_WORDS.__getitem__}
    return made


@cache
def style(*names: str) -> str:
    """Return these style sheets as one text."""
    return "\n".join((PAGE / name).read_text(encoding="utf-8").strip() for name in names)


def policy(styles: Sequence[str], scripts: Sequence[str] = ()) -> str:
    """Return the content security policy: no requests, and only these styles and scripts."""
    allowed = {"style-src": styles, "script-src": scripts}
    sources = (f"{kind} {' '.join(map(_hash, texts))}" for kind, texts in allowed.items() if texts)
    return "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'"])


def breakable(text: str) -> Markup:
    """Return a name in which a line can also end after an underscore, a dot or a slash."""
    return Markup(_NAME_PART.sub("<wbr>", str(escape(text))))  # noqa: S704 - the text is escaped


def encodable(html: str) -> str:
    """Return the page without lone surrogates, which a broken response can contain and UTF-8 cannot encode."""
    return html.encode("utf-8", "replace").decode("utf-8")


def _source(name: str) -> str:
    """Return the text of a template."""
    return _joined((PAGE / name).read_text(encoding="utf-8"))


def _finalized(value: object) -> object:
    """Return the value of an expression as it is inserted. Only sentences and lists of numbers change.

    A single number with its unit is in a cell of a table that has no line breaks. Large tables stay small.
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.count(" ") < 2:
        return value
    return _joined(value)


def _joined(text: str) -> str:
    """Return a text in which no line can end between a number and its unit."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", text)


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode('ascii')}'"
