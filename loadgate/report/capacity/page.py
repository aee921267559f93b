"""capacity.html: one self-contained file without scripts that starts with the conclusion."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment

from loadgate.report.capacity.curve import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, charts
from loadgate.report.capacity.document import CapacityDocument
from loadgate.report.capacity.use import cpu_of
from loadgate.report.html.assembly import encodable, environment, policy, style
from loadgate.report.html.facts import machine_facts
from loadgate.report.markdown import cut
from loadgate.report.text import printable
from loadgate.units import duration, given, given_percentage

STYLES = ("css/base.css", "css/parts.css", "css/capacity.css", "css/media.css")
MAX_TEXT = 400
"""The maximum length of a text from outside. capacity.json has the whole text."""

_FOLDER = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)


def html_page(document: CapacityDocument) -> str:
    """Return the page of a search, made from its capacity.json."""
    css = style(*STYLES)
    template = _environment().get_template("capacity/page.html.j2")
    return encodable(template.render(**_values(document), style=css, policy=policy([css])))


def _values(document: CapacityDocument) -> dict[str, Any]:
    """Return the variables of the template by name."""
    return {
        "result": document.result,
        "title": f"Capacity {short(document.search.profile)}",
        "charts": charts(document),
        "size": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "top": TOP},
        "edge": {"right": WIDTH - RIGHT, "bottom": HEIGHT - BOTTOM},
        "levels": document.levels,
        "not_judged": document.not_judged,
        "trials": document.trials,
        "facts": {name: value for name, value in _facts(document).items() if value},
        "started_at": document.started_at,
    }


def _facts(document: CapacityDocument) -> dict[str, str]:
    search, made_on = document.search, document.made_on
    top = f", up to {given(search.to_per_s, '/s')}" if search.to_per_s is not None else ""
    rates = f"from {given(search.first_per_s, '/s')}{top}, bounds within {given_percentage(search.width)}"
    if search.at_least_per_s is not None:
        rates = f"only {given(search.at_least_per_s, '/s')}"
    return {
        "Profile": search.profile,
        "Target": search.target,
        "Rates": rates,
        "Trial": f"{duration(search.settle_s)} to settle, {duration(search.trial_s)} measured, seed {search.seed}",
        "Confirmation": duration(search.confirm_s),
        "Budget": duration(search.budget_s),
        "Started": document.started_at,
        **(machine_facts(made_on) if made_on is not None else {}),
        "capacity.json": f"schema version {document.schema_version}",
    }


def short(text: str) -> str:
    """Return a text from outside in one line of limited length."""
    return cut(printable(text), MAX_TEXT)


def folder(text: str) -> str:
    """Return the folder of a trial as a link, "" if it is not a relative path."""
    return text if _FOLDER.fullmatch(text) else ""


@cache
def _environment() -> Environment:
    return environment(short, folder, cpu_of)
