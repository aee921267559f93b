"""capacity.json: one typed document with all data of a search. The page and the summary are made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from loadgate.analysis.capacity.level import State
from loadgate.analysis.capacity.plan import Ending, Purpose
from loadgate.exit_codes import ExitCode
from loadgate.rules import RuleOutcome
from loadgate.run.document import EnvironmentRecord
from loadgate.run.document.parts import Count, Part, Positive, Text, Time
from loadgate.run.document.stored_file import FileKind, read_file
from loadgate.run.judgement import exit_code

CAPACITY_FILE = "capacity.json"
FRESH = "a fresh target for each trial"
"""The target of a search without --host."""

SCHEMA_VERSION: Literal[1] = 1
"""Incremented if a program for older documents would misread a newer document."""

CAPACITY = FileKind(
    name=CAPACITY_FILE,
    content="a search for the capacity by loadgate",
    versions=(SCHEMA_VERSION,),
    repair="restore the file, or delete the folder of this search",
    renewal="search again",
)


class UnjudgedRule(Part):
    """A rule of the profile that takes no part in the search."""

    rule: Text
    reason: Text = Field(description="Why it is not judged, one clause.")


class SearchRecord(Part):
    """What was searched, and how."""

    profile: Text
    target: Text = Field(description="The URL of a deployment, or `a fresh target for each trial`.")
    first_per_s: Positive
    to_per_s: Positive | None
    at_least_per_s: Positive | None
    width: Positive
    trial_s: Positive
    confirm_s: Positive
    settle_s: Positive
    budget_s: Positive
    seed: Count


class Latencies(Part):
    """Percentiles of the successful requests in ms; null without requests."""

    p50_ms: Positive | None = None
    p95_ms: Positive | None = None
    p99_ms: Positive | None = None


class ResourceUse(Part):
    """The use of a resource in a trial: CPU cores, or a pool with its limit, or the mean wait for it."""

    resource: Text
    quantity: Text
    used: Positive | None = None
    limit: Positive | None = None
    wait_ms: Positive | None = None


class ShareRecord(Part):
    """The share of bad requests of a rule at a rate. `limit`, `low` and `high` are fractions."""

    rule: Text
    bad: Count
    requests: Count
    value_ms: Positive | None = Field(description="The percentile in the last trial; null for failures.")
    limit: Positive
    low: Positive | None
    high: Positive | None
    state: State


class LevelRecord(Part):
    """A rate with all of its usable trials. The latencies and resources are those of the last one."""

    rate_per_s: Positive
    state: State
    trials: Count
    completion: Positive = Field(description="Completions ÷ arrivals.")
    broken: list[Text] = Field(description="The rules that break, `growing queue`, or how the target ended.")
    undecided: list[Text] = Field(default=[], description="The rules that leave the rate undecided, or `queue`.")
    shares: list[ShareRecord]
    latencies: Latencies
    resources: list[ResourceUse]


class TrialRecord(Part):
    """A trial, in the order of measurement."""

    number: Count
    purpose: Purpose
    rate_per_s: Positive
    length_s: Positive
    started_at: Time
    folder: Text = Field(description="The folder of its run.json, relative to the folder of capacity.json.")
    void: Text = Field(description="Why it proves nothing; empty if it does.")


class RuleCapacity(Part):
    """The capacity by one rule alone. A bound is null if it was not found."""

    rule: Text
    holds_per_s: Positive | None
    breaks_per_s: Positive | None


class LimitRecord(Part):
    """A rule on the capacity itself, such as `capacity >= 150/s`."""

    rule: Text
    outcome: RuleOutcome
    reason: Text = Field(description="One clause.")


class CapacityResult(Part):
    """What the search found.

    - `first_broken`: what broke first at `breaks_per_s`, such as `auth: p95 < 500ms`.
    - `broken_value`: its value there with its unit, such as `530 ms`.
    - `gave_out`: what was used up there, one clause each.
    - `curve_trials`: the number of trials of the curve from which the bounds come; 0 if both bounds were tried.
    - `wanted_budget_s`: roughly the budget with which the bounds would be within `width`; null if it is unknown.
    """

    ending: Ending
    outcome: RuleOutcome
    sentence: Text = Field(description="The conclusion, one sentence.")
    holds_per_s: Positive | None
    breaks_per_s: Positive | None
    is_confirmed: bool
    reason: Text = Field(description="Why the search ended before the bounds were close; empty if they are.")
    first_broken: Text
    broken_value: Text
    gave_out: list[Text]
    rules: list[RuleCapacity]
    limits: list[LimitRecord] = Field(default=[], description="The rules on the capacity itself.")
    curve_trials: Count = 0
    wanted_budget_s: Positive | None = None


class CapacityDocument(Part, title="A search for the capacity by loadgate"):
    """All data of a search. The runs of its trials are in folders of their own."""

    schema_version: Literal[1]
    started_at: Time
    search: SearchRecord
    result: CapacityResult
    not_judged: list[UnjudgedRule]
    levels: list[LevelRecord] = Field(description="In ascending order of their rates.")
    trials: list[TrialRecord] = Field(description="In the order of measurement.")
    load_hash: Text = Field(description="Hash of the profile's name and weights.")
    made_on: EnvironmentRecord | None

    @classmethod
    def read(cls, path: Path) -> CapacityDocument:
        """Read a search from its folder or its capacity.json.

        Raises:
            RunFileError: There is no capacity.json, or this version cannot read it.
        """
        return read_file(path, CAPACITY, cls.model_validate_json)

    def to_json(self) -> str:
        """Return the text of capacity.json."""
        return self.model_dump_json()

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of the outcome."""
        return exit_code(self.result.outcome)
