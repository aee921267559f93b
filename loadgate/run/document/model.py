"""The model of run.json. It is written at the end of a run and read to make all other files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadgate.run.document.environment import EnvironmentRecord, GeneratorRecord, TargetRecord
from loadgate.run.document.figures import TotalFigures
from loadgate.run.document.parts import Count, Part, Text
from loadgate.run.document.plan import RunRecord
from loadgate.run.document.recording import Recording
from loadgate.run.document.requests import ErrorRecord, ExceptionRecord, ExemplarRecord
from loadgate.run.document.verdict import VerdictRecord

SCHEMA_VERSION: Literal[2] = 2
"""Incremented when a reader of older documents would misread a newer one."""


class RunDocument(Part, title="A run of loadgate"):
    """All data of one load test.

    Every other file of the run is made from it. Names that end in _s are epoch seconds or durations in seconds, and
    names that end in _ms are milliseconds.
    """

    schema_version: Literal[2] = Field(
        description="Incremented when a reader of older documents would misread this one, but not for new keys."
    )
    run: RunRecord
    verdict: VerdictRecord
    totals: TotalFigures
    errors: list[ErrorRecord] = Field(description="By request name and text, the most frequent first.")
    slowest: list[ExemplarRecord] = Field(
        max_length=10, description="The slowest successful requests, the slowest first."
    )
    exceptions: list[ExceptionRecord] = Field(description="What user code raised outside of requests.")
    counters: dict[Text, Count] = Field(
        description="Arrivals of an open model that were late, dropped or never started, and the like."
    )
    generator: list[GeneratorRecord] = Field(description="The health of each generator process.")
    user_counts: list[tuple[int, Count]] = Field(description="[epoch second, running users], about one a second.")
    stages: list[tuple[float, Text]] = Field(
        description=(
            "[epoch seconds from which on, stage]: `ramp`, `steady` or a name from the profile; `outside` where no "
            "load was made."
        )
    )
    target: TargetRecord | None = Field(description="The managed target; null for one that ran already.")
    made_on: EnvironmentRecord
    recording: Recording

    def to_json(self) -> str:
        """Return the text of run.json."""
        return self.model_dump_json()
