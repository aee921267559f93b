"""The resources of the target over time: a column for each measured quantity, and a row for each second."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loadgate.recorder.packed_values import pack_values, unpack_values

MAX_ROWS = 7200
"""Two hours of seconds. A longer run has rows of 2, 4, 8, ... seconds, so that its memory is bounded."""

MAX_COLUMNS = 200
MAX_GAP_S = 7 * 86_400
"""The maximum time between two readings. A second that is further away from the last one is not of this run."""

MAX_EARLY_S = 60
"""The first value of a slow metric can belong to a second this long before the first one of another metric."""

MAX_VALUE = 1e21
"""The maximum absolute value: far above each quantity of a computer, and its square can still be computed."""

MIN_VALUE = 1e-12
"""A value that is closer to 0 is 0."""

LIMIT = ".limit"
"""The suffix of the quantity that is the limit of another one: `connections.limit`."""

WAIT_SUM, WAIT_COUNT = ".sum", ".count"
"""The suffixes of the two columns of a wait: seconds waited per second, and waits per second."""


class ColumnKind(StrEnum):
    """What a value is."""

    LEVEL = "level"
    """The value at one moment."""
    FLOW = "flow"
    """An amount per second."""


class ResourceUnit(StrEnum):
    """The unit of a value. The unit of a flow is per second."""

    BYTES = "bytes"
    SECONDS = "s"
    COUNT = "count"


@dataclass(frozen=True, slots=True, order=True)
class ResourceColumn:
    """A quantity of a resource, such as the memory of the API."""

    resource: str
    quantity: str
    kind: ColumnKind = ColumnKind.LEVEL
    unit: ResourceUnit = ResourceUnit.COUNT


@dataclass(frozen=True, slots=True)
class ResourceSeries:
    """The known values of a column. Times are epoch seconds, ascending."""

    column: ResourceColumn
    times_s: list[float]
    values: list[float]

    def between(self, first_s: float, end_s: float) -> ResourceSeries:
        """Return the part of the series in [first_s, end_s)."""
        first, end = bisect_left(self.times_s, first_s), bisect_left(self.times_s, end_s)
        return ResourceSeries(self.column, self.times_s[first:end], self.values[first:end])

    def pairs(self) -> Iterator[tuple[float, float]]:
        """Return (epoch second, value) of each row."""
        return zip(self.times_s, self.values, strict=True)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(slots=True)
class _Values:
    """The sum and the number of the values of each row, up to the last row with a value."""

    sums: array[float] = field(default_factory=lambda: array("d"))
    counts: array[int] = field(default_factory=lambda: array("I"))

    def add(self, row: int, value: float) -> None:
        """Add a value. What is no number, or exceeds MAX_VALUE, is unknown."""
        if not abs(value) <= MAX_VALUE:
            return
        missing = row + 1 - len(self.sums)
        if missing > 0:
            self.sums.extend([0.0] * missing)
            self.counts.extend([0] * missing)
        self.sums[row] += value if abs(value) >= MIN_VALUE else 0.0
        self.counts[row] += 1

    def halve(self) -> None:
        """Merge each pair of rows."""
        odd = len(self.sums) % 2
        self.sums.extend([0.0] * odd)
        self.counts.extend([0] * odd)
        self.sums = array("d", map(sum, zip(self.sums[::2], self.sums[1::2], strict=True)))
        self.counts = array("I", map(sum, zip(self.counts[::2], self.counts[1::2], strict=True)))

    def means(self) -> Iterator[float]:
        return (total / count if count else math.nan for total, count in zip(self.sums, self.counts, strict=True))


class ResourceRecord:
    """The measured quantities of the target's resources.

    A row covers `step_s` whole epoch seconds and holds the mean of the values in them. `notes` are sentences on what
    could not be read. `sampler_cpu_share` is the cost of the sampling, as a share of one core; None if it is unknown.
    Resources in `order` come before others, because the order in which their first values arrive is random.
    """

    def __init__(self, order: Sequence[str] = ()) -> None:
        self._places = {resource: place for place, resource in enumerate(dict.fromkeys(order))}
        self.notes: list[str] = []
        self.sampler_cpu_share: float | None = None
        self._start_s = self._last_s = 0
        self._step_s = 1
        self._columns: dict[ResourceColumn, _Values] = {}

    def put(self, second: int, values: Mapping[ResourceColumn, float | None]) -> None:
        """Add the values of one epoch second. An unknown value (None) is skipped.

        A second before the first one or far after the last one is ignored: a clock was set.
        """
        if not self._columns:
            self._start_s = self._last_s = second
        if second < self._start_s or second - self._last_s > MAX_GAP_S:
            if not 0 < self._start_s - second <= MAX_EARLY_S:
                self._note("values of resources are missing, because the clock was set")
            return
        self._last_s = max(self._last_s, second)
        while (row := (second - self._start_s) // self._step_s) >= MAX_ROWS:
            self._step_s *= 2
            for column in self._columns.values():
                column.halve()
        for key, value in values.items():
            known = self._columns.get(key)
            if known is None:
                if len(self._columns) >= MAX_COLUMNS:
                    self._note(f"only the first {MAX_COLUMNS} quantities are recorded")
                    continue
                known = self._columns[key] = _Values()
            if value is not None:
                known.add(row, value)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    @property
    def columns(self) -> list[ResourceColumn]:
        """Return the columns with at least one value, in the order of the resources and of their first row."""
        known = [key for key, values in self._columns.items() if values.counts]
        return sorted(known, key=lambda key: self._places.get(key.resource, len(self._places)))

    @property
    def step_s(self) -> int:
        """Return the seconds of a row."""
        return self._step_s

    def resources(self) -> list[str]:
        """Return the names of the resources."""
        return list(dict.fromkeys(column.resource for column in self.columns))

    def quantities(self, resource: str) -> list[str]:
        """Return the quantities of a resource."""
        return [column.quantity for column in self.columns if column.resource == resource]

    def series(self, resource: str, quantity: str) -> ResourceSeries | None:
        """Return the known values of a quantity, at the middle of their rows. None if there are none."""
        for key in self.columns:
            if (key.resource, key.quantity) == (resource, quantity):
                half = self._step_s / 2
                pairs = [
                    (self._start_s + row * self._step_s + half, value)
                    for row, value in enumerate(self._columns[key].means())
                    if not math.isnan(value)
                ]
                return ResourceSeries(key, [time_s for time_s, _ in pairs], [value for _, value in pairs])
        return None

    def latest(self, column: ResourceColumn) -> float | None:
        """Return the newest known value of a column. The cost does not grow with the number of rows."""
        values = self._columns.get(column)
        return values.sums[-1] / values.counts[-1] if values is not None and values.counts else None

    def mean_since(self, column: ResourceColumn, since_s: int) -> float | None:
        """Return the mean of the values from an epoch second on. The cost grows with the number of rows since then."""
        values = self._columns.get(column)
        first = max(0, (since_s - self._start_s) // self._step_s)
        known = sum(values.counts[first:]) if values is not None else 0
        return sum(values.sums[first:]) / known if values is not None and known else None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form. Values are little-endian float64, NaN if unknown, compressed with zlib, in base64."""
        columns = self.columns
        rows = max((len(self._columns[key].sums) for key in columns), default=0)
        return {
            "start_s": self._start_s,
            "step_s": self._step_s,
            "rows": rows,
            "columns": [
                {
                    "resource": key.resource,
                    "quantity": key.quantity,
                    "kind": key.kind.value,
                    "unit": key.unit.value,
                    "values": pack_values([*self._columns[key].means()], rows),
                }
                for key in columns
            ],
            "notes": list(self.notes),
            "sampler_cpu_share": self.sampler_cpu_share,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ResourceRecord:
        """Return the record that `to_json` converted. Raises ValueError for incomplete columns."""
        if data["rows"] > MAX_ROWS:
            raise ValueError(f"the resources have {data['rows']} rows, more than {MAX_ROWS}")
        record = cls()
        record._start_s, record._step_s = data["start_s"], data["step_s"]
        record._last_s = record._start_s + data["rows"] * record._step_s
        record.notes, record.sampler_cpu_share = list(data["notes"]), data["sampler_cpu_share"]
        for column in data["columns"]:
            key = ResourceColumn(
                column["resource"], column["quantity"], ColumnKind(column["kind"]), ResourceUnit(column["unit"])
            )
            values = record._columns[key] = _Values()
            for row, value in enumerate(unpack_values(column["values"], data["rows"])):
                values.add(row, value)
        return record
