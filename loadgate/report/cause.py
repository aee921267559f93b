"""The causes of failures and of failed rules: the requests that contribute most to them."""

from __future__ import annotations

from loadgate.report.text import printable, rule_limit_value, rule_quantity, rule_subject
from loadgate.run.document import ErrorRecord, RuleRecord, RunDocument
from loadgate.units import count

MAX_FAILURES = 3
MAX_BREACHES = 5
TIMES = "\N{MULTIPLICATION SIGN}"
MAX_TEXT = 200
"""Maximum length of an error's text in one line."""


def failure_lines(document: RunDocument) -> list[str]:
    """Return the most frequent failures, as in `18 x GET /api/v1/items: Failed: 404`, and the number of others."""
    errors = document.errors
    lines = [printable(f"{count(e.count)} {TIMES} {e.name}: {error_line(e)}") for e in errors[:MAX_FAILURES]]
    more = len(errors) - MAX_FAILURES
    if more > 0:
        lines.append(f"and {more} more {'kind' if more == 1 else 'kinds'} of failure, in the report")
    return lines


def error_line(error: ErrorRecord) -> str:
    """Return the text of an error and what the response says, as in `HTTP 503 ("The database is down.")`."""
    return _cut(error.text) + (f' ("{error.detail}")' if error.detail else "")


def breach_sentence(document: RunDocument, rule: RuleRecord) -> str | None:
    """Return when and by which request names a failed rule was broken. `None` for rules on other things."""
    found = (breach.sentence for breach in document.conclusions.breaches if breach.rule == rule.rule)
    sentence = next(found, None)
    return printable(sentence) if sentence is not None else None


def breach_lines(document: RunDocument) -> list[str]:
    """Return a line for each failed rule on requests: its value, and when and by which request names it was broken."""
    lines = []
    for rule in document.verdict.rules:
        if (sentence := breach_sentence(document, rule)) is not None:
            value = rule_quantity(rule, rule.value)
            lines.append(printable(f"{rule_subject(rule)} {value}, limit {rule_limit_value(rule)}. {sentence}"))
    more = len(lines) - MAX_BREACHES
    if more <= 0:
        return lines
    return [*lines[:MAX_BREACHES], f"{count(more)} more {'rule was' if more == 1 else 'rules were'} broken."]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
