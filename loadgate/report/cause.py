"""The causes of failures and of failed rules: the requests that contribute most to them."""

from __future__ import annotations

from loadgate.recorder import OVERALL
from loadgate.report.text import printable
from loadgate.run.document import RuleRecord, RunDocument
from loadgate.units import count, milliseconds

MAX_FAILURES = 3
TIMES = "\N{MULTIPLICATION SIGN}"
MAX_TEXT = 200
"""Maximum length of an error's text in one line."""


def failure_lines(document: RunDocument) -> list[str]:
    """Return the most frequent failures, as in `18 x GET /api/v1/items: Failed: 404`, and the number of others."""
    errors = document.errors
    lines = [printable(f"{count(e.count)} {TIMES} {e.name}: {_cut(e.text)}") for e in errors[:MAX_FAILURES]]
    more = len(errors) - MAX_FAILURES
    if more > 0:
        lines.append(f"and {more} more {'kind' if more == 1 else 'kinds'} of failure, in the report")
    return lines


def slow_request(document: RunDocument, rule: RuleRecord) -> str | None:
    """Return a sentence on the request that contributes most to a failed latency rule of a group.

    It is the name with the most successful requests above the limit, including the ramp. `None` if the scope has only
    one name.
    """
    if rule.outcome != "fail" or rule.unit != "ms":
        return None
    rows = [
        (row.success_sketch().count_from(rule.limit), row)
        for row in document.totals.requests
        if rule.scope in {OVERALL, row.group} and row.kind != "measure"
    ]
    above = sum(number for number, _ in rows)
    if len(rows) < 2 or not above:
        return None
    slow, row = max(rows, key=lambda item: item[0])
    answered = row.requests - row.failures
    p95 = milliseconds(row.success_ms.p95)
    return printable(
        f"{count(slow)} of the {count(above)} requests above the limit are {row.name}, "
        f"which has {count(answered)} successful requests and a p95 of {p95}"
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
