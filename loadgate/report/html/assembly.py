"""What all pages share: the templates and their filters, the style, and the policy that forbids all requests."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from loadgate import units
from loadgate.report.html.facts import moment, moment_s
from loadgate.report.text import OUTCOME_WORDS

PAGE = files("loadgate.report") / "page"

_UNIT = re.compile(r"(?<=\d) (?=(?:%(?!\})|points|ms|s|min|h|days|B|[kMGT]B|cores)(?!\w))")
"""The space between a number and its unit, and not the one at the end of a block of a template."""


ICONS = {
    "pass": "M13 25l8 8 15-17",
    "fail": "M15 15l18 18M33 15L15 33",
    "inconclusive": "M17.5 18.5a6.5 6.5 0 1 1 9.6 5.7c-2.2 1.2-3.1 2.4-3.1 4.8M24 34.4v.7",
}
"""The paths of the sign of each outcome, in a square of 48."""

TAB_ICONS = {
    "pass": ("#17703f", "<circle cx='24' cy='24' r='23'/>"),
    "fail": ("#bf2127", "<path d='M15 1h18l14 14v18L33 47H15L1 33V15z'/>"),
    "inconclusive": ("#8a5a00", "<path d='M24 0l24 24-24 24L0 24z'/>"),
}
"""The colour and the shape of each outcome. Not everybody sees the colours, and the sign is small in a tab."""

MAX_NAME = 48
_HEAD, _TAIL = 26, 16
"""The characters of a longer name that are shown."""

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
        units.milliseconds, units.percentage, units.quantity, units.size, moment, moment_s, tab_icon, *filters,
    )  # fmt: skip
    made.globals |= {"ICONS": ICONS, "MAX_NAME": MAX_NAME}
    made.filters |= {format_.__name__: format_ for format_ in formats} | {"word": OUTCOME_WORDS.__getitem__}
    return made


@cache
def style(*names: str) -> str:
    """Return these style sheets as one text."""
    return "\n".join((PAGE / name).read_text(encoding="utf-8").strip() for name in names)


def policy(styles: Sequence[str], scripts: Sequence[str] = ()) -> str:
    """Return the content security policy: no requests, only these styles and scripts, and the icon of the tab."""
    allowed = {"style-src": styles, "script-src": scripts}
    sources = (f"{kind} {' '.join(map(_hash, texts))}" for kind, texts in allowed.items() if texts)
    return "; ".join(["default-src 'none'", "img-src data:", *sources, "base-uri 'none'", "form-action 'none'"])


def breakable(text: str) -> Markup:
    """Return a name in which a line can also end after an underscore, a dot or a slash."""
    return Markup(_NAME_PART.sub("<wbr>", str(escape(text))))  # noqa: S704 - the text is escaped


def shortened(name: str) -> Markup:
    """Return a long name with an ellipsis in its middle. The text contains the whole name, so that a copy has it."""
    if len(name) <= MAX_NAME:
        return escape(name)
    head, middle, tail = name[:_HEAD], name[_HEAD:-_TAIL], name[-_TAIL:]
    return escape(head) + Markup('<span class="cut">') + escape(middle) + Markup("</span>") + escape(tail)


def tab_icon(outcome: str) -> str:
    """Return the address of an icon with the shape, the colour and the sign of an outcome."""
    colour, shape = TAB_ICONS[outcome]
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 48 48'><g fill='{colour}'>{shape}</g>"
        f"<path d='{ICONS[outcome]}' fill='none' stroke='#fff' stroke-width='6' stroke-linecap='round'/></svg>"
    )
    return f"data:image/svg+xml,{quote(svg)}"


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
