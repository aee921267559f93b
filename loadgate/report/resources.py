"""The resources of the target as lines over time: one for each quantity of each resource."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loadgate.recorder.resources import ResourceColumn, ResourceRecord
from loadgate.report.quantities import Quantity, quantities, real_limit
from loadgate.run.document import RunDocument

MAX_UNREAD = 5


@dataclass(frozen=True, slots=True)
class LineFigures:
    """The figures of a line over a range of time, in the unit of its quantity."""

    mean: float
    max: float
    last: float


@dataclass(frozen=True, slots=True)
class ResourceLine:
    """A quantity over time: the epoch second, the amount and the weight of each row.

    The value over a range of time is the sum of its amounts divided by the sum of its weights. The weights of a wait
    are its numbers of waits, so that this is the mean wait. All other weights are 1.
    """

    quantity: Quantity
    times_s: array[float]
    amounts: array[float]
    weights: array[float]
    limits: ResourceLine | None = None

    def rows(self) -> Iterator[tuple[float, float, float]]:
        """Return (epoch second, amount, weight) of each row."""
        return zip(self.times_s, self.amounts, self.weights, strict=True)

    def over(self, start_s: float, width_s: float, count: int) -> list[float | None]:
        """Return the value of each of `count` slots of `width_s` from `start_s` on. None in a slot without values."""
        amounts, weights = [0.0] * count, [0.0] * count
        for time_s, amount, weight in self.rows():
            slot = int((time_s - start_s) // width_s)
            if 0 <= slot < count:
                amounts[slot] += amount
                weights[slot] += weight
        return [amount / weight if weight > 0 else None for amount, weight in zip(amounts, weights, strict=True)]

    def figures(self, first_s: float, end_s: float) -> LineFigures | None:
        """Return the figures over [first_s, end_s), in epoch seconds. None without values."""
        rows = [(amount, weight) for at_s, amount, weight in self.rows() if first_s <= at_s < end_s and weight > 0]
        if not rows:
            return None
        values = [amount / weight for amount, weight in rows]
        return LineFigures(
            sum(amount for amount, _ in rows) / sum(weight for _, weight in rows), max(values), values[-1]
        )

    @property
    def limit(self) -> float | None:
        """Return the newest limit. None if there is none."""
        return real_limit(self.limits.amounts[-1]) if self.limits else None


def resource_lines(document: RunDocument) -> list[ResourceLine]:
    """Return the lines of a run, by resource and importance."""
    record = document.resources.record()
    return [_line(record, quantity) for quantity in quantities(record.columns)]


def load_figures(document: RunDocument, lines: Iterable[ResourceLine]) -> Iterator[tuple[ResourceLine, LineFigures]]:
    """Return each line with its figures under load. Lines without values under load are omitted."""
    first_s = document.run.started_s
    for line in lines:
        if (figures := line.figures(first_s, first_s + document.run.duration_s)) is not None:
            yield line, figures


def brief_figures(document: RunDocument) -> list[tuple[ResourceLine, LineFigures]]:
    """Return the figures of the quantities that short outputs show."""
    found = load_figures(document, resource_lines(document))
    return [(line, figures) for line, figures in found if not line.quantity.is_detail]


def unread(document: RunDocument) -> list[str]:
    """Return what could not be read, at most MAX_UNREAD sentences and the number of further ones, for short outputs."""
    notes = document.resources.notes
    more = len(notes) - MAX_UNREAD
    return notes if more <= 0 else [*notes[:MAX_UNREAD], f"{more} more things could not be read; the report names them"]


def with_limits(lines: Iterable[ResourceLine]) -> Iterator[ResourceLine]:
    """Return the lines and the lines of their limits, for other programs."""
    for line in lines:
        yield line
        if line.limits is not None:
            yield line.limits


def _line(record: ResourceRecord, quantity: Quantity) -> ResourceLine:
    amounts = _pairs(record, quantity.amount)
    weights = dict.fromkeys(amounts, 1.0) if quantity.per is None else _pairs(record, quantity.per)
    times_s = array("d", (time_s for time_s in amounts if time_s in weights))
    return ResourceLine(
        quantity,
        times_s,
        array("d", map(amounts.__getitem__, times_s)),
        array("d", map(weights.__getitem__, times_s)),
        _line(record, quantity.limit) if quantity.limit else None,
    )


def _pairs(record: ResourceRecord, column: ResourceColumn) -> dict[float, float]:
    series = record.series(column.resource, column.quantity)
    return dict(series.pairs()) if series is not None else {}
