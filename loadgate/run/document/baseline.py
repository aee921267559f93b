"""The baseline of a load profile: the values of one run, and the changes of a later run since then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar

from pydantic import Field

from loadgate.analysis.differences import Measured
from loadgate.rules import Unit
from loadgate.run.document.environment import FingerprintRecord, MachineClassRecord
from loadgate.run.document.parts import Count, Part, Text, Time

ValueRow = tuple[float, float | None, float | None]
"""A value and the bounds of its 95 % interval, null if they are unknown. Latencies are in ms, shares are fractions."""


class BaselineRule(Part):
    """The value of a rule, in its unit; failures in percent are fractions."""

    rule: Text = Field(description="The rule without its limit.")
    unit: Unit
    value: ValueRow

    @property
    def measured(self) -> Measured:
        """Return the value with its interval."""
        return Measured(*self.value)


class BaselineScope(Part):
    """The values of a scope by metric: p50, p95, p99, mean and failures. A metric without a value is absent."""

    kind: Literal["overall", "group", "name"]
    name: Text
    requests: Count
    failures: Count
    values: dict[Text, ValueRow]

    def measured(self, metric: str) -> Measured | None:
        """Return a value with its interval. None if there is none."""
        return Measured(*self.values[metric]) if metric in self.values else None


class BaselineRecord(Part):
    """A baseline. Its values exclude the ramp, like those of rules."""

    schema_version: Literal[1] = Field(description="Incremented if a program for older files would misread the file.")
    profile: Text
    run: Text = Field(description="The name of the folder of the run.")
    started_at: Time
    duration_s: float
    commit: Text | None
    changed: bool = Field(description="Whether the run had uncommitted changes.")
    fingerprint: FingerprintRecord
    machine_class: MachineClassRecord | None
    load: dict[Text, Text] = Field(description="The load in words, to say what differs from that of another run.")
    rules: list[BaselineRule]
    scopes: list[BaselineScope]
    is_last_run: bool = Field(
        default=False,
        exclude_if=lambda there: not there,
        description="Whether it is the last comparable run, because no baseline is set; absent if not.",
    )

    @property
    def noun(self) -> str:
        """Return what messages call it."""
        return "last run" if self.is_last_run else "baseline"

    def scope(self, kind: str, name: str) -> BaselineScope | None:
        """Return a scope."""
        return _scope_of(self.scopes, kind, name)


class ValueChange(Part):
    """The change of a value since the baseline. It is relative, or a difference of shares for failures."""

    subject: Text = Field(description="The rule without its limit, or the scope and the metric.")
    unit: Unit
    base: float
    head: float
    change: float | None
    low: float | None = Field(description="Lower bound of the 95 % interval, as far as the requests show it.")
    high: float | None

    @property
    def is_share(self) -> bool:
        """Return whether values are shares."""
        return self.unit == Unit.PERCENT

    @property
    def has_interval(self) -> bool:
        """Return whether a bound of the interval is known."""
        return self.low is not None or self.high is not None


class ScopeChanges(Part):
    """The changes of a scope by metric."""

    kind: Literal["overall", "group", "name"]
    name: Text
    values: dict[Text, ValueChange]


class BaselineChanges(Part):
    """The changes of a run since its baseline. They do not affect the verdict, because single runs differ by chance."""

    rules: list[ValueChange]
    scopes: list[ScopeChanges]

    def rule(self, subject: str) -> ValueChange | None:
        """Return the change of a rule, given without its limit."""
        return next((rule for rule in self.rules if rule.subject == subject), None)

    def scope(self, kind: str, name: str) -> dict[str, ValueChange]:
        """Return the changes of a scope by metric."""
        found = _scope_of(self.scopes, kind, name)
        return {} if found is None else found.values


_Named = TypeVar("_Named", BaselineScope, ScopeChanges)


def _scope_of(scopes: Iterable[_Named], kind: str, name: str) -> _Named | None:
    """Return a scope. Every kind other than `overall` and `group` is a request name."""
    wanted = kind if kind in {"overall", "group"} else "name"
    return next((scope for scope in scopes if (scope.kind, scope.name) == (wanted, name)), None)
