"""The workers of a run with a master."""

from __future__ import annotations

from pydantic import Field

from loadgate.run.document.parts import Count, Part, Text


class WorkerRecord(Part):
    """A worker, its own totals, and what its reports added to the record. Without faults, both are equal."""

    worker: Text = Field(description="The number of the worker, as in the notes of the verdict.")
    host: Text
    pid: Count | None = Field(description="The process id on its host; null if it is unknown.")
    counted_requests: Count = Field(description="The requests that the worker counted, as of its latest report.")
    counted_failures: Count
    merged_requests: Count = Field(description="The requests that its reports added to the record.")
    merged_failures: Count
    is_complete: bool = Field(description="Whether its final report and all before it have arrived.")
