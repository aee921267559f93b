"""ab.json: one typed document with all data of a comparison. The page and the summary are made from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from loadgate.run.document.parts import Count, Part, Positive, Text, Time

SCHEMA_VERSION = 1


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


class SegmentRecord(Part):
    """One segment, in the order of measurement."""

    pair: Count
    side: Literal["base", "head"]
    started_at: Time
    folder: Text = Field(description="The folder of its run.json, relative to the folder of ab.json.")
    rate_per_s: Positive
    control_ms: Positive | None
    problem: Text
