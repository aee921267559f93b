"""The plan of a run, its actual times and the cause of its end."""

from __future__ import annotations

from pydantic import Field

from loadgate.run.document.parts import Count, Length, Number, Part, Text, Time, epoch_s
from loadgate.run.judgement import EndedBy, Ending


class StageRecord(Part):
    """A stage of the profile."""

    duration: Length
    users: Count | None
    rate: Number | None
    spawn_rate: Number | None
    ramp: Length | None
    name: Text


class ProfileRecord(Part):
    """The load profile as the suite declares it."""

    name: Text
    description: Text
    users: Count
    spawn_rate: Number
    run_time: Length
    weight_config: dict[Text, Count]
    rate: Text | None
    stages: list[StageRecord]
    thresholds: dict[Text, Number] | None
    rules: list[Text] | None


class RunRecord(Part):
    """The plan of the run, its actual times and the cause of its end."""

    profile: ProfileRecord
    host: Text = Field(description="Base URL of the target.")
    users: Count | None = Field(description="The number of users from the command line or the profile.")
    spawn_rate: Number | None
    planned_s: Number | None = Field(description="Planned duration; null for a run without a planned end.")
    stop_timeout_s: Number = Field(description="How long the run waits for requests in flight at its end.")
    processes: Count = Field(description="Number of processes that generated load.")
    user_classes: dict[Text, Number] = Field(description="Weights by class name.")
    started_at: Time = Field(description="UTC.")
    ended_at: Time = Field(description="UTC, including the last responses.")
    duration_s: Number = Field(ge=0, description="Time from the start of the load until the users were told to stop.")
    ending: Ending = Field(
        description="`interrupted`: stopped by a signal or in the web UI. `aborted`: stopped by a rule with `abort`."
    )
    ended_by: EndedBy | None = Field(
        default=None,
        description=(
            "The cause of the end of the load: the run time, the suite's LoadTestShape, the suite's code, a rule "
            "or an interrupt."
        ),
    )
    command: list[Text] = Field(description="The command line that started the run.")

    @property
    def started_s(self) -> float:
        """Return the start in epoch seconds."""
        return epoch_s(self.started_at)

    @property
    def ended_s(self) -> float:
        """Return the end in epoch seconds."""
        return epoch_s(self.ended_at)
