"""What all pages share: the templates and their filters, the style, and the policy that forbids all requests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from loadgate import units
from loadgate.report.html.facts import moment
from loadgate.report.text import OUTCOME_WORDS

PAGE = files("loadgate.report") / "page"


def environment(*filters: Callable[..., object]) -> Environment:
    """Return the environment of the templates, with the formats of numbers and the filters of a page."""
    made = Environment(
        loader=FunctionLoader(lambda name: (PAGE / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
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


def encodable(html: str) -> str:
    """Return the page without lone surrogates, which a broken response can contain and UTF-8 cannot encode."""
    return html.encode("utf-8", "replace").decode("utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode('ascii')}'"
