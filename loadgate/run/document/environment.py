"""The environment and the health of the load generator, and the managed target."""

from __future__ import annotations

from pydantic import Field

from loadgate.run.document.parts import Count, Part, Text


class GeneratorRecord(Part):
    """The health of a generator process. Shares are fractions of one core."""

    process: Text
    cpu_mean_share: float
    cpu_peak_share: float = Field(description="The highest mean over any 10 s.")
    lag_p99_ms: float
    lag_max_ms: float
    lag_samples: Count
    cpu_limit_share: float
    lag_limit_ms: float
    problem: Text | None = Field(description="Why the process was saturated; null if it was not.")


class TargetRecord(Part):
    """The managed target."""

    command: list[Text]
    url: Text
    ended: Text | None = Field(description="How the target ended during the run; null if it did not end.")


class GitRecord(Part):
    """The state of the suite's repository."""

    commit: Text
    branch: Text | None
    changed: bool


class MachineRecord(Part):
    """The machine of the load generator."""

    name: Text
    system: Text
    processor: Text
    cores: Count | None
    memory_bytes: Count


class EnvironmentRecord(Part):
    """The environment of the load generator."""

    git: GitRecord | None = Field(description="The repository of the suite; null if there is none.")
    machine: MachineRecord
    versions: dict[Text, Text]
