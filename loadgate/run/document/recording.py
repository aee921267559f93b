"""The record of a run, in the recorder's JSON form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from loadgate.recorder import Outcome, Recorder
from loadgate.recorder.packed import CellColumns, unpack, unpack_times
from loadgate.recorder.slot_sums import unpack_sums
from loadgate.run.document.parts import Count, Part, Text


class CellsRecord(Part):
    """Packed columns: consecutive little-endian arrays, compressed with zlib, in base64.

    The first columns are start_s (uint32), width_s (uint16) and response_bytes (uint64) of `count` cells. The columns
    of the latency sketches follow and, if `service` is true, those of the sketches of service times. The columns of
    sketches are sum_ns (uint64), min_ms and max_ms (float64, NaN without samples), the number of used buckets (uint16),
    and then the index (uint16) and the samples (uint32) of all buckets of all cells. docs/measurement.md describes the
    buckets.
    """

    count: Count
    service: bool
    untimed: bool = Field(
        default=False,
        exclude_if=lambda there: not there,
        description="If true, the last column is the number of requests without a latency in each cell (uint32).",
    )
    columns: str = Field(json_schema_extra={"contentEncoding": "base64"})

    def unpacked(self) -> CellColumns:
        """Return the columns. Raises ValueError if they are incomplete."""
        return unpack(dict(self))

    def span_and_widths(self) -> tuple[tuple[float, float] | None, set[int]]:
        """Return the epoch seconds of the start and the end of the cells, if there are any, and the cells' widths."""
        start_s, width_s = unpack_times(dict(self))
        return (start_s[0], start_s[-1] + width_s[-1]) if start_s else None, set(width_s)


class SeriesRecord(Part):
    """The cells of one name, outcome and stage."""

    group: Text
    name: Text
    outcome: Outcome
    stage: Text
    method: Text = Field(
        default="",
        exclude_if=lambda method: not method,
        description="Method or type of the requests, if it is known.",
    )
    cells: CellsRecord


class InFlightRecord(Part):
    """The time in flight that belongs to other seconds than that in which a request ended, for one name.

    `columns` has start_s (uint32), width_s (uint16) and nanoseconds (int64) of `count` slots, in the form of the
    columns of cells. Add the nanoseconds to the sum_ns of all cells of the name with the same start. Divided by the
    width, this is the mean number of requests in flight.
    """

    group: Text
    name: Text
    method: Text = Field(default="", exclude_if=lambda method: not method)
    count: Count
    columns: str = Field(json_schema_extra={"contentEncoding": "base64"})

    def slots(self) -> list[tuple[int, int, int]]:
        """Return the start, the width and the nanoseconds of each slot. Raises ValueError if they are incomplete."""
        return unpack_sums(dict(self))


class CountedRecord(Part):
    """The times that a counter was increased in each second, if they are known.

    `columns` has start_s (uint32), width_s (uint16) and the number (int64) of `count` slots, in the form of the columns
    of cells.
    """

    counter: Text = Field(
        description="`arrivals_late`, whose arrivals count in the seconds in which they should have started."
    )
    count: Count
    columns: str = Field(json_schema_extra={"contentEncoding": "base64"})

    def slots(self) -> list[tuple[int, int, int]]:
        """Return the start, the width and the number of each slot. Raises ValueError if they are incomplete."""
        return unpack_sums(dict(self))


def _without_detail(row: object) -> object:
    """Return the row of an exemplar without its last part, which older programs do not expect."""
    return tuple(row[:6]) if isinstance(row, list | tuple) else row


ExemplarRow = Annotated[tuple[Text, Text, float, float, Text, Text], BeforeValidator(_without_detail)]
ErrorRow = tuple[Text, Text, Count, float, float, list[ExemplarRow]]


class Recording(Part):
    """The record in the JSON form of the recorder: every name, outcome, stage and second."""

    version: Literal[2]
    series: list[SeriesRecord]
    in_flight: list[InFlightRecord] = Field(default=[], exclude_if=lambda rows: not rows)
    errors: list[ErrorRow] = Field(description="The content of `errors` as rows.")
    slowest: list[ExemplarRow] = Field(description="The content of `slowest` as rows.")
    counters: dict[Text, Count]
    counted: list[CountedRecord] = Field(default=[], exclude_if=lambda rows: not rows)

    @classmethod
    def of(cls, recorder: Recorder) -> Recording:
        """Return the record of a recorder."""
        # Not strict: the recorder's form has lists for rows and strings for outcomes.
        return cls.model_validate(recorder.to_json(), strict=False)

    def recorder(self) -> Recorder:
        """Return a recorder with this record."""
        return Recorder.from_json(self.model_dump(mode="json"))
