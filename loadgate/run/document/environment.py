"""The environment and the health of the load generator, and the managed target."""

from __future__ import annotations

from pydantic import Field

from loadgate.run.document.parts import Count, Part, Positive, Text


class ClockRecord(Part):
    """The clock of a worker in comparison with the master's, to which its times are converted."""

    skew_s: float = Field(description="Seconds by which the worker's clock was behind; negative if it was ahead.")
    error_s: float = Field(ge=0, description="The largest possible error of `skew_s`.")
    drift_ppm: float = Field(
        description="Change of the difference in microseconds per second, as near to 0 as the errors allow."
    )
    set_by_s: float = Field(description="The largest change by which the worker's clock was set; 0 if it was not set.")
    jump_s: float = Field(description="The largest sudden change of the difference with another cause; 0 without one.")


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
    throttled_peak_share: float | None = Field(
        default=None,
        exclude_if=lambda share: share is None,
        description=(
            "The highest share of the periods of the CPU limit, over 10 s, in which the limit stopped the process; "
            "absent without a CPU limit (cgroup version 2)."
        ),
    )
    steal_peak_share: float | None = Field(
        default=None,
        exclude_if=lambda share: share is None,
        description=(
            "The highest share of the machine's CPU time, over 10 s, that the hypervisor gave to other virtual "
            "machines; absent if it is unknown."
        ),
    )
    throttled_limit_share: float | None = Field(default=None, exclude_if=lambda share: share is None)
    unsent: dict[Text, Count] = Field(
        default_factory=dict,
        exclude_if=lambda unsent: not unsent,
        description="Number of requests that were never sent by the resource that the process ran out of.",
    )
    problem: Text | None = Field(description="Why the process was saturated; null if it was not.")
    clock: ClockRecord | None = Field(
        default=None, exclude_if=lambda clock: clock is None, description="The clock of a worker; absent for others."
    )


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


class MachineClassRecord(Part):
    """What makes measured figures of two machines comparable. A value is null if it is unknown or there is no limit."""

    cpu: Text | None = Field(description="The model of the processor.")
    usable_cores: Count | None = Field(description="Number of cores on which the process may run.")
    cpu_limit: Positive | None = Field(description="The CPU limit of the cgroup (version 2), in cores.")
    memory_limit_bytes: Count | None = Field(description="The memory limit of the cgroup (version 2).")


class SoftwareRecord(Part):
    """The kernel and the allocator of the load generator. A value is null if it is unknown or not set."""

    kernel: Text | None
    c_library: Text | None = Field(description="The C library with its version.")
    python_malloc: Text | None = Field(description="The variable PYTHONMALLOC.")
    preloaded_allocator: Text | None = Field(description="The jemalloc, tcmalloc or mimalloc of LD_PRELOAD.")


class FingerprintRecord(Part):
    """Short hashes. Runs are comparable if they are equal."""

    machine: Text = Field(description="Hash of `machine_class`.")
    profile: Text = Field(description="Hash of the profile, the number of users and the run time.")
    rules: Text = Field(description="Hash of the rules.")
    suite: Text | None = Field(
        description="Hash of the locustfiles and of the modules that they import from their folders; null if unknown."
    )
    test: Text | None = Field(description="Hash of `profile`, `rules` and `suite`; null without `suite`.")


class EnvironmentRecord(Part):
    """The environment of the load generator."""

    git: GitRecord | None = Field(description="The repository of the suite; null if there is none.")
    machine: MachineRecord
    versions: dict[Text, Text]
    machine_class: MachineClassRecord | None = Field(default=None, exclude_if=lambda there: there is None)
    software: SoftwareRecord | None = Field(default=None, exclude_if=lambda there: there is None)
    fingerprint: FingerprintRecord | None = Field(default=None, exclude_if=lambda there: there is None)
