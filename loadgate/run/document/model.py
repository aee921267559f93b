"""The model of run.json, which is written at the end of a run. All other files are made from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadgate.run.document.baseline import BaselineChanges, BaselineRecord
from loadgate.run.document.conclusions import ConclusionsRecord
from loadgate.run.document.environment import EnvironmentRecord, GeneratorRecord, TargetRecord
from loadgate.run.document.figures import TotalFigures
from loadgate.run.document.parts import Count, Part, Text
from loadgate.run.document.plan import RunRecord
from loadgate.run.document.recording import Recording
from loadgate.run.document.requests import ErrorRecord, ExceptionRecord, ExemplarRecord
from loadgate.run.document.resources import ResourcesRecord
from loadgate.run.document.verdict import VerdictRecord
from loadgate.run.document.workers import WorkerRecord

SCHEMA_VERSION: Literal[3] = 3
"""Incremented if a program for older documents would misread a newer document."""


class RunDocument(Part, title="A run of loadgate"):
    """All data of one load test.

    Every other file of the run is made from it. Names that end in _s are epoch seconds or durations in seconds, and
    names that end in _ms are milliseconds.
    """

    schema_version: Literal[3] = Field(
        description=(
            "Incremented if a program for older documents would misread the document. New keys do not increment it."
        )
    )
    run: RunRecord
    verdict: VerdictRecord
    totals: TotalFigures
    errors: list[ErrorRecord] = Field(description="The errors by request name and text, the most frequent first.")
    slowest: list[ExemplarRecord] = Field(
        max_length=10, description="The slowest successful requests, the slowest first."
    )
    exceptions: list[ExceptionRecord] = Field(description="Exceptions that user code raised outside of requests.")
    counters: dict[Text, Count] = Field(
        description=(
            "Counted events that are not finished requests, such as late, dropped and never started arrivals of an "
            "open model."
        )
    )
    generator: list[GeneratorRecord] = Field(description="The health of each generator process.")
    workers: list[WorkerRecord] = Field(
        default_factory=list,
        exclude_if=lambda there: not there,
        description="The workers with their own totals; absent without a master.",
    )
    user_counts: list[tuple[int, Count]] = Field(
        description="[epoch second, running users], about one entry per second."
    )
    stages: list[tuple[float, Text]] = Field(
        description=(
            "[start in epoch seconds, stage]. The stage is `ramp`, `steady`, a name from the profile, or `outside` "
            "while no load is generated."
        )
    )
    target: TargetRecord | None = Field(
        description="The managed target; null if the target was not started by loadgate."
    )
    conclusions: ConclusionsRecord = Field(description="What the run shows in addition to its rules.")
    resources: ResourcesRecord = Field(description="The resources of the target over time.")
    made_on: EnvironmentRecord
    baseline: BaselineRecord | None = Field(
        default=None,
        exclude_if=lambda there: there is None,
        description=(
            "The baseline of the profile or, without one, the last comparable run; absent without either. It does not "
            "affect the verdict."
        ),
    )
    since_baseline: BaselineChanges | None = Field(
        default=None,
        exclude_if=lambda there: there is None,
        description="The changes of the run since its baseline; absent without one, and if the loads differ.",
    )
    is_first_of_its_kind: bool = Field(
        default=False,
        exclude_if=lambda there: not there,
        description="Whether there was no baseline and no earlier comparable run; absent if not.",
    )
    recording: Recording

    def to_json(self) -> str:
        """Return the text of run.json."""
        return self.model_dump_json()
