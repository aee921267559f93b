"""The resources of the target over time."""

from __future__ import annotations

from pydantic import Field

from loadgate.recorder.resources import ColumnKind, ResourceRecord, ResourceUnit
from loadgate.run.document.parts import Count, Part, Positive, Text


class ResourceColumnRecord(Part):
    """The values of one quantity of one resource."""

    resource: Text = Field(description="A part of the target, such as `api`.")
    quantity: Text = Field(
        description=(
            "What is measured: `memory` (anonymous resident memory), `cpu` (CPU seconds per second), `threads`, "
            "`open_files` or another one from the settings. `Q.limit` is the limit of `Q`. `W.sum` and `W.count` are "
            "the seconds waited and the number of waits per second."
        )
    )
    kind: ColumnKind = Field(description="`level`: the value at one moment. `flow`: an amount per second.")
    unit: ResourceUnit
    values: str = Field(
        json_schema_extra={"contentEncoding": "base64"},
        description="One little-endian float64 for each row, NaN if it is unknown, compressed with zlib, in base64.",
    )


class ResourcesRecord(Part):
    """The resources of the target. Row i covers the `step_s` seconds from `start_s` + i * `step_s` (epoch seconds)."""

    start_s: Count
    step_s: Count = Field(description="1 in runs of up to two hours, then 2, 4, 8, ...: the values are means.")
    rows: Count
    columns: list[ResourceColumnRecord]
    notes: list[Text] = Field(description="What could not be read, one sentence each.")
    sampler_cpu_share: Positive | None = Field(description="CPU use of the sampler, as a share of one core.")

    @classmethod
    def of(cls, record: ResourceRecord) -> ResourcesRecord:
        """Return the record of the sampled resources."""
        return cls.model_validate(record.to_json(), strict=False)

    def record(self) -> ResourceRecord:
        """Return the sampled resources. Raises ValueError for incomplete columns."""
        return ResourceRecord.from_json(self.model_dump(mode="json"))
