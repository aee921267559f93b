"""ab.json: one typed document with all data of a comparison. The page and the summary are made from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from loadgate.analysis.ab.result import AbResult
from loadgate.analysis.ab.segments import Margins, Metric
from loadgate.exit_codes import ExitCode
from loadgate.run.document import EnvironmentRecord
from loadgate.run.document.parts import Count, Part, Positive, Text, Time
from loadgate.run.document.stored_file import FileKind, read_file
from loadgate.run.judgement import exit_code

AB_FILE = "ab.json"
SCHEMA_VERSION: Literal[1] = 1
"""Incremented if a program for older documents would misread a newer document."""

AB = FileKind(
    name=AB_FILE,
    content="a comparison of loadgate",
    versions=(SCHEMA_VERSION,),
    repair="restore the file, or delete the folder of this comparison",
    renewal="compare again",
)


class SideRecord(Part):
    """A side of the comparison: a commit that was started from a worktree, or a deployment that already ran."""

    label: Text = Field(description="What a reader calls it: a branch, a short commit or a URL.")
    commit: Text | None = None
    changed_files: Count = Field(default=0, description="Uncommitted files that are part of the side.")
    url: Text | None = Field(default=None, description="The URL of a deployment; null for a commit.")


class PlanRecord(Part):
    """What was measured, and how."""

    base: SideRecord
    head: SideRecord
    profile: Text
    rate_per_s: Positive
    rate_from: Text = Field(description="Where the rate comes from, one clause.")
    settle_s: Positive
    measure_s: Positive
    pairs: Count = Field(description="Pairs until the first decision. A second one follows after as many again.")
    seed: Count
    ignore: Positive
    worse: Positive
    ignore_failures: Positive
    worse_failures: Positive
    ignore_ms: Positive = Field(default=0.0, description="0 in documents of older versions.")
    metric: Metric = Field(default=Metric.RULES, description="What decides.")
    ignore_bytes: Positive = Field(
        default=Margins().ignore_bytes,
        description="A change of the memory per request that is ignored.",
    )
    locustfile: Text | None = Field(default=None, description="The locustfile of the command line; null if not given.")

    @property
    def margins(self) -> Margins:
        """Return the margins of the comparison."""
        return Margins(
            self.ignore,
            self.worse,
            self.ignore_ms,
            self.ignore_failures,
            self.worse_failures,
            self.ignore_bytes,
        )


class SegmentRecord(Part):
    """One segment, in the order of measurement."""

    pair: Count
    side: Literal["base", "head"]
    started_at: Time
    folder: Text = Field(description="The folder of its run.json, relative to the folder of ab.json.")
    rate_per_s: Positive
    control_ms: Positive | None
    problem: Text


class UncomparedRule(Part):
    """A rule of the suite that takes no part in the comparison."""

    rule: Text = Field(description="The rule, as in `overall: requests > 1000`.")
    reason: Text = Field(description="Why it is not compared, one clause.")


class AbDocument(Part, title="A comparison of loadgate"):
    """All data of a comparison of two sides. The runs of its segments are in folders of their own."""

    schema_version: Literal[1]
    started_at: Time
    plan: PlanRecord
    result: AbResult = Field(description="The conclusion, and the change of each rule, measure and request name.")
    not_compared: list[UncomparedRule]
    segments: list[SegmentRecord] = Field(description="In the order of measurement.")
    made_on: EnvironmentRecord | None = Field(
        description="The environment of the load generator, from the run of a segment; null if no segment has a run."
    )

    @classmethod
    def of(
        cls,
        plan: PlanRecord,
        result: AbResult,
        segments: Sequence[SegmentRecord],
        *,
        started_at: str,
        not_compared: Sequence[UncomparedRule] = (),
        made_on: EnvironmentRecord | None = None,
    ) -> AbDocument:
        """Return the document of a comparison. `started_at` is a `Time`, see `iso_time`."""
        return cls(
            schema_version=SCHEMA_VERSION,
            started_at=started_at,
            plan=plan,
            result=result,
            not_compared=list(not_compared),
            segments=list(segments),
            made_on=made_on,
        )

    @classmethod
    def read(cls, path: Path) -> AbDocument:
        """Read a comparison from its folder or its ab.json.

        Raises:
            RunFileError: There is no ab.json, or this version cannot read it.
        """
        return read_file(path, AB, cls.model_validate_json)

    def to_json(self) -> str:
        """Return the text of ab.json."""
        return self.model_dump_json()

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of the outcome."""
        return exit_code(self.result.outcome)
