"""ab.html: one self-contained file without scripts that starts with the conclusion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment

from loadgate.analysis.ab import text
from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import ChangeUnit
from loadgate.report.ab import wording
from loadgate.report.ab.axis import BYTES, HEIGHT, SHARES, WIDTH, Axis, Plot
from loadgate.report.ab.document import AbDocument
from loadgate.report.html.assembly import encodable, environment, policy, style
from loadgate.report.html.facts import machine_facts
from loadgate.report.markdown import cut
from loadgate.report.text import printable
from loadgate.units import duration, given

STYLES = ("css/base.css", "css/parts.css", "css/media.css", "css/ab.css")
MAX_NAMES = 200
MAX_TEXT = 300
"""The maximum length of a text from outside. ab.json has the whole text."""

_FOLDER = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Group:
    """The changes with the same unit, which share an axis."""

    unit: str
    axis: Axis
    rows: list[tuple[Change, Plot]]


def html_page(document: AbDocument) -> str:
    """Return the page of a comparison, made from its ab.json."""
    css = style(*STYLES)
    html = _environment().get_template("ab/page.html.j2").render(**_values(document), style=css, policy=policy([css]))
    return encodable(html)


def _values(document: AbDocument) -> dict[str, Any]:
    """Return the variables of the template by name."""
    result, plan = document.result, document.plan
    names = sorted(result.names, key=lambda item: (not item.is_discovery, -abs(item.change)))
    return {
        "result": result,
        "plan": plan,
        "title": f"Comparison {short(plan.profile)}",
        "sides": (wording.side_text(plan.base), wording.side_text(plan.head)),
        "measured": wording.plan_sentence(plan, result.pairs),
        "broken": wording.further_broken(result),
        "margins": wording.margins_sentence(plan),
        "rules": _groups(document, result.rules),
        "others": _groups(document, result.others),
        "confidence": wording.confidence_text([*result.rules, *result.others]),
        "size": (WIDTH, HEIGHT),
        "power": wording.power_sentence(result),
        "names_confidence": wording.names_confidence(result.names),
        "names": names[:MAX_NAMES],
        "hidden_names": max(0, len(names) - MAX_NAMES),
        "not_compared": document.not_compared,
        "measured_pairs": wording.measured_pairs(result),
        "segments": document.segments,
        "command": wording.command(plan),
        "command_notes": wording.command_notes(plan),
        "facts": {name: value for name, value in _facts(document).items() if value},
        "started_at": document.started_at,
    }


def _groups(document: AbDocument, changes: Sequence[Change]) -> list[Group]:
    """Return the changes by their unit. Both tables of the page have the same axes."""
    result, margins = document.result, document.plan.margins
    groups = []
    for unit in ChangeUnit:
        is_relative = unit is ChangeUnit.PERCENT
        ends = (margins.ignore, margins.worse) if is_relative else margins.of_difference(unit)
        shown = [item for item in changes if item.measure.unit is unit]
        on_axis = (item for item in (*result.rules, *result.others) if item.measure.unit is unit)
        axis = Axis.of(on_axis, *ends, scale=BYTES if unit is ChangeUnit.BYTES else SHARES)
        rows = [(item, Plot.of(item, axis, margins.of(item.measure, item.base))) for item in shown]
        groups.append(Group(unit.value, axis, rows))
    return [group for group in groups if group.rows]


def _facts(document: AbDocument) -> dict[str, str]:
    """Return what was measured, and on which machine."""
    plan, made_on = document.plan, document.made_on
    return {
        "Base": wording.side_text(plan.base),
        "Base commit": plan.base.commit or "",
        "Head": wording.side_text(plan.head),
        "Head commit": plan.head.commit or "",
        "Profile": plan.profile,
        "Rate": f"{given(plan.rate_per_s, '/s')}, {plan.rate_from}",
        "Pairs": wording.pairs_text(document.result, plan),
        "Segment": f"{duration(plan.settle_s)} to settle, then {duration(plan.measure_s)} measured",
        "Seed": str(plan.seed),
        "Started": document.started_at,
        **(machine_facts(made_on) if made_on is not None else {}),
        "ab.json": f"schema version {document.schema_version}",
    }


@cache
def _environment() -> Environment:
    texts = (
        wording.change_text, wording.detectable_text, wording.guard_name, wording.interval_text, wording.name_interval,
        wording.reason_text, wording.value_text,
    )  # fmt: skip
    return environment(*texts, described, folder_link, short, pair_number, row_unit)


def described(item: Change) -> str:
    """Return the text alternative of a drawn change."""
    known = [value for value in item.pairs if value is not None]
    if item.change is None:
        return "no change is known"
    pairs = f"; pairs from {pair_change(min(known), item)} to {pair_change(max(known), item)}" if known else ""
    return f"{wording.change_text(item)}, interval {wording.interval_text(item)}{pairs}"


def pair_change(value: float | None, item: Change) -> str:
    """Return the change of a pair of a measure."""
    return text.signed(item.measure, value)


def row_unit(item: Change) -> str:
    """Return the unit of all changes of a measure. "" for a number of bytes, whose unit depends on its size."""
    return {ChangeUnit.PERCENT: "%", ChangeUnit.POINTS: "points"}.get(item.measure.unit, "")


def pair_number(value: float | None, item: Change) -> str:
    """Return the change of a pair without the unit of its row, which would need a line of its own in print."""
    return pair_change(value, item).removesuffix(f" {row_unit(item)}")


def folder_link(folder: str) -> str:
    """Return the link to a folder inside of the folder of the page. "" if it is elsewhere."""
    return f"{folder}/" if _FOLDER.fullmatch(folder) else ""


def short(text: object) -> str:
    """Return text from outside without control characters, at most `MAX_TEXT` characters."""
    return cut(printable(str(text)), MAX_TEXT)
