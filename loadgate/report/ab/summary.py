"""summary.md: the conclusion of a comparison, as the comment of a pull request and for the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from loadgate.analysis.ab.result import AbResult, Change, NameChange
from loadgate.report.ab import wording
from loadgate.report.ab.document import AbDocument, PlanRecord, UncomparedRule
from loadgate.report.markdown import cut, escaped
from loadgate.report.text import OUTCOME_WORDS, printable
from loadgate.units import change, count, milliseconds

MAX_CHARACTERS = 60_000
"""Maximum length of the summary. GitHub refuses a comment of more than 65,536 characters."""

_RULES, _GUARDS, _NAMES, _RULES_LEFT_OUT = 24_000, 5_000, 8_000, 4_000
"""The room of each section, in characters. Together with the rest, they are below `MAX_CHARACTERS`."""

_COMMAND = 2000
"""The length to which the command is cut."""

_NAME, _SENTENCE = 120, 300
"""The length to which texts are cut before they are escaped, which can make them seven times as long."""


def markdown_summary(document: AbDocument) -> str:
    """Return the conclusion, a row for each rule, what the pairs detect, guards, names, sides, and how to repeat it."""
    result, plan = document.result, document.plan
    sections = [
        [f"### {OUTCOME_WORDS[result.outcome]}: {_sentence(result.reason)}"],
        _rules(result.rules),
        [_sentence(wording.margins_sentence(plan))],
        _power(result),
        _guards(result),
        _names(result.names),
        _not_compared(document.not_compared),
        _plan(plan, result.pairs),
        _command(plan),
        [marker(plan.profile)],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def marker(profile: str) -> str:
    """Return the invisible line by which the next comparison of the same profile finds the comment to update."""
    return f"<!-- loadgate ab {quote(profile, safe='')[:100]} -->"


def _rules(rules: Sequence[Change]) -> list[str]:
    if not rules:
        return ["No rule can be compared."]
    confidence = wording.confidence_text(rules)
    head = f"| Rule | Base | Head | Change | Interval{f' ({confidence})' if confidence else ''} | Outcome | Why |"
    rows = _within(map(_rule_row, rules), _RULES)
    return [head, "| --- | ---: | ---: | ---: | ---: | --- | --- |", *rows, *_more(len(rules) - len(rows), "rules")]


def _rule_row(item: Change) -> str:
    numbers = (
        wording.value_text(item, item.base),
        wording.value_text(item, item.head),
        wording.change_text(item),
        wording.interval_text(item),
    )
    outcome, reason = OUTCOME_WORDS[item.outcome], _sentence(wording.reason_text(item))
    return f"| {_name(str(item.measure))} | {' | '.join(numbers)} | {outcome} | {reason} |"


def _power(result: AbResult) -> list[str]:
    sentence = wording.power_sentence(result)
    return [escaped(cut(sentence, 4 * _NAME))] if sentence else []


def _guards(result: AbResult) -> list[str]:
    """Return the guards that do not hold, without the one that is the conclusion, and the names of the others."""
    found = wording.further_broken(result)
    lines = _within((f"- **Not fair:** {_sentence(guard.sentence)}" for guard in found), _GUARDS)
    lines += _more(len(found) - len(lines), "conditions that are not met")
    holding = wording.holding_sentence(result.guards)
    return [*lines, *([""] if lines and holding else []), *([_sentence(holding)] if holding else [])]


def _names(names: Sequence[NameChange]) -> list[str]:
    found = [item for item in names if item.is_discovery]
    if not found:
        return []
    rows = _within(map(_name_row, found), _NAMES)
    head = [
        "| Request name that changed | Base p95 | Head p95 | Change | Interval |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    return [*head, *rows, *_more(len(found) - len(rows), "changed request names")]


def _name_row(item: NameChange) -> str:
    numbers = (milliseconds(item.base_ms), milliseconds(item.head_ms), change(item.change), wording.name_interval(item))
    return f"| {_name(item.name)} | {' | '.join(numbers)} |"


def _not_compared(rules: Sequence[UncomparedRule]) -> list[str]:
    lines = _within((f"- Not compared: {_name(item.rule)} ({_name(item.reason)})" for item in rules), _RULES_LEFT_OUT)
    return [*lines, *_more(len(rules) - len(lines), "rules that are not compared")]


def _plan(plan: PlanRecord, pairs: int) -> list[str]:
    return [
        f"Base: {_sentence(wording.side_text(plan.base))}. Head: {_sentence(wording.side_text(plan.head))}.",
        _sentence(wording.plan_sentence(plan, pairs)),
    ]


def _command(plan: PlanRecord) -> list[str]:
    """Return the command in a block of code, whose content hosts show as it is."""
    command = cut(printable(wording.command(plan)), _COMMAND)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", command)), default=0))
    notes = wording.command_notes(plan)
    return [f"To measure this again:{' ' + notes if notes else ''}", "", f"{fence}shell", command, fence]


def _within(lines: Iterable[str], room: int) -> list[str]:
    """Return the first lines that have room."""
    found = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        found.append(line)
    return found


def _more(number: int, what: str) -> list[str]:
    return [f"\n{count(number)} more {what} are in ab.html."] if number > 0 else []


def _name(text: str) -> str:
    return escaped(cut(text, _NAME))


def _sentence(text: str) -> str:
    return escaped(cut(text, _SENTENCE))
