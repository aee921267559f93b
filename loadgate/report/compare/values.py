"""The values of runs that are compared, and the scale on which they are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log, log1p
from statistics import fmean

from loadgate.analysis.ab.segments import Margins
from loadgate.report.text import rule_subject
from loadgate.rules import RuleOutcome, Unit
from loadgate.run.document import RuleRecord, RunDocument, ScopeFigures

_DECIDING = re.compile(r"p\d.*|mean|failures")
"""The metrics that `loadgate ab` compares. The values of others vary too much, or depend on the load."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is compared. Shares are compared as differences, all other values as logarithms.

    `unit` is that of the values; those in percent are stored as fractions.
    """

    subject: str
    unit: Unit
    higher_is_worse: bool = True
    decides: bool = False

    @classmethod
    def of(cls, rule: RuleRecord) -> Quantity:
        """Return what a rule compares."""
        decides = _DECIDING.fullmatch(rule.metric) is not None and rule.unit in {Unit.MS, Unit.PERCENT}
        return cls(rule_subject(rule), rule.unit, rule.operator.bounds_from_above, decides)

    @property
    def is_share(self) -> bool:
        """Return whether values are shares, and changes are differences of shares."""
        return self.unit is Unit.PERCENT

    def scaled(self, values: Iterable[float | None]) -> tuple[float, ...]:
        """Return the known values on the scale of the comparison. A value of 0 has no logarithm and is left out."""
        sign = 1 if self.higher_is_worse else -1
        known = [value for value in values if value is not None and (self.is_share or value > 0)]
        return tuple(sign * (value if self.is_share else log(value)) for value in known)

    def mean(self, values: Iterable[float | None]) -> float | None:
        """Return the mean of the known values: of shares the arithmetic, of others the geometric one."""
        scaled = self.scaled(values)
        return self._value(fmean(scaled)) if scaled else None

    def change(self, difference: float | None) -> float | None:
        """Return a difference on the scale as a relative change, or as a difference of shares."""
        if difference is None:
            return None
        return self._value(difference) if self.is_share else self._value(difference) - 1

    def margins(self, base: float | None) -> tuple[float, float]:
        """Return the differences on the scale that are too small to matter and too large to accept.

        `base` is the value of base in the unit of the quantity, by which an absolute margin of latencies is a relative
        one.
        """
        margins = Margins()
        if self.is_share:
            return margins.ignore_failures, margins.worse_failures
        ignore, worse = margins.of_latency(base if self.unit is Unit.MS else None)
        return log1p(ignore), log1p(worse)

    def _value(self, scaled: float) -> float:
        signed = scaled if self.higher_is_worse else -scaled
        return signed if self.is_share else exp(min(signed, 700.0))


class Window(StrEnum):
    """The requests whose latencies are compared, in all runs and for all rules and scopes."""

    STEADY = "steady"
    """Those without the ramp."""
    ALL = "all"


def common_window(documents: Sequence[RunDocument]) -> Window:
    """Return the requests whose latencies are known in all runs: without the ramp, if no rule needed the ramp."""
    return Window.ALL if any(_needs_ramp(document) for document in documents) else Window.STEADY


def _needs_ramp(document: RunDocument) -> bool:
    """Return whether a run has a ramp, and too few requests without it for one of its rules."""
    overall = document.totals.overall
    if overall.steady_success_ms == overall.success_ms:
        return False
    return any(rule.stages == "all" and rule.value_all_stages is not None for rule in document.verdict.rules)


def rule_value(
    quantity: Quantity, rules: Iterable[RuleRecord], window: Window = Window.STEADY, *, reliable: bool = False
) -> float | None:
    """Return the value of a rule in a run; None without one. `reliable`: also None if the rule is inconclusive."""
    for rule in rules:
        if rule_subject(rule) == quantity.subject:
            value = rule.value
            if window is Window.ALL and rule.value_all_stages is not None:
                value = rule.value_all_stages
            if value is None or (reliable and rule.outcome == RuleOutcome.INCONCLUSIVE):
                return None
            return value / 100 if quantity.is_share else float(value)
    return None


METRICS = ("p50", "p95", "p99", "mean", "failures")


def scope_quantity(name: str, metric: str) -> Quantity:
    """Return what is compared of a scope."""
    return Quantity(f"{name}: {metric}", Unit.PERCENT if metric == "failures" else Unit.MS)


def scope_value(figures: ScopeFigures, metric: str, window: Window) -> float | None:
    """Return a value of a scope: the share of failures of the whole run, or a latency of a window."""
    if metric == "failures":
        return figures.failure_rate
    latencies = figures.steady_success_ms if window is Window.STEADY else figures.success_ms
    found: float | None = getattr(latencies, metric)
    return found


def common_quantities(base: Sequence[Sequence[RuleRecord]], head: Sequence[Sequence[RuleRecord]]) -> list[Quantity]:
    """Return what the rules of both sides compare, in the order of the first run of head. Each appears once."""
    of_base = {Quantity.of(rule) for rules in base for rule in rules}
    return [one for one in dict.fromkeys(Quantity.of(rule) for rules in head for rule in rules) if one in of_base]
