"""summary.md: the conclusion of a search, for the summary of a CI job."""

from __future__ import annotations

from loadgate.report.capacity.document import CapacityDocument
from loadgate.report.capacity.text import level_cells, limit_lines, rule_lines
from loadgate.report.markdown import cut, escaped
from loadgate.report.text import OUTCOME_WORDS
from loadgate.units import count

MAX_ROWS = 60
MAX_TEXT = 600


def markdown_summary(document: CapacityDocument) -> str:
    """Return the conclusion, a row for each rate, and the capacity by each rule."""
    result = document.result
    rows = [f"| {' | '.join(map(_text, level_cells(level)))} |" for level in document.levels[:MAX_ROWS]]
    more = len(document.levels) - len(rows)
    lines = [
        f"### {OUTCOME_WORDS[result.outcome]}: {_text(result.sentence)}",
        "",
        "| Rate | p50 | p95 | p99 | CPU | Trials | State |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *rows,
        "",
        *([f"{count(more)} more rates are in capacity.html.", ""] if more > 0 else []),
        *(f"- {_text(line)}" for line in [*limit_lines(document), *rule_lines(document)][:MAX_ROWS]),
    ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return escaped(cut(text, MAX_TEXT))
