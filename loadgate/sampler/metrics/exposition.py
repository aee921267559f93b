"""Read the samples of some metrics in Prometheus' text format. The lines of other metrics are skipped unparsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loadgate.metric_selector import LABEL, NAME, unescaped

# The quantifiers are possessive, so that the time to match a line grows only in proportion to its length.
_LABEL = re.compile(rf'\s*+((?>{LABEL}))\s*+=\s*+"((?:[^"\\]|\\.)*+)"\s*+,?+\s*+')
# An exemplar or a time stamp can follow the value.
_SAMPLE = re.compile(rf'((?>{NAME}))[ \t]*+(\{{(?:[^"}}]|"(?:[^"\\]|\\.)*+")*+\}})?+[ \t]*+([^\s#]++)')


class Sample(NamedTuple):
    """The value of a metric with these labels. `series` is its name and labels as text."""

    series: str
    metric: str
    labels: dict[str, str]
    value: float


def samples(text: str, metrics: Sequence[str]) -> Iterator[Sample]:
    """Return the samples of these metrics. A line that cannot be read is skipped."""
    wanted, names = tuple(metrics), set(metrics)
    for line in text.split("\n"):
        if not line.startswith(wanted):
            continue
        found = _SAMPLE.match(line)
        if found is None or found[1] not in names:
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        labels = _labels((found[2] or "{}")[1:-1].strip())
        if labels is not None:
            yield Sample(line[: found.end(2) if found[2] else found.end(1)], found[1], labels, value)


def _labels(text: str) -> dict[str, str] | None:
    """Return the labels of a sample. `None` if the text is something else."""
    labels: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = _LABEL.match(text, position)
        if found is None:
            return None
        labels[found[1]] = unescaped(found[2])
        position = found.end()
    return labels
