"""Recovery from a disturbance: how long a scope stays outside its band after a stage such as a rush.

A scope has recovered at the first window after the disturbance that lies inside its band, and from which at least 95 %
of the remaining windows do. The recovery time is the middle of that window: a window shows a sudden recovery at its
start, and a gradual one on average in its middle. It is exactly 0 if the first window is that window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from loadgate.analysis.decision import Decision, RuleOutcome, conclude
from loadgate.analysis.interval import Interval
from loadgate.analysis.recovery.band import Band, NoBand, find_band, staying
from loadgate.analysis.recovery.drawn_limit import SEED
from loadgate.analysis.recovery.stage_ratio import StageRatio, stage_ratio
from loadgate.analysis.tails import QUANTILE
from loadgate.analysis.traffic import Span, StageSpans, Traffic, WindowFigures, stage_spans
from loadgate.units import duration, given

MIN_STAY_WINDOWS = 2
"""A scope must stay inside for at least this many windows until the end of the run."""


class RecoveryState(StrEnum):
    """How the time after a disturbance ended."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not recovered"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class BadRequests:
    """The requests from the start of the disturbance until the recovery, or until the end of the run.

    `slow` ones succeeded, but took longer than the band's limit. `usual` is the number of failed and slow ones among
    the same number of requests of the stage before.
    """

    requests: int
    failed: int
    slow: int
    usual: float


@dataclass(frozen=True, slots=True)
class QueueDrain:
    """The queue at the end of the disturbance, and how long the target needs to serve it.

    `backlog` are the requests in flight in addition to those of the stage before. `drain_s` is the backlog divided by
    the difference of the rates; None if requests arrive as fast as the highest completion rate. `longer` means that the
    recovery took more than a window longer than `drain_s`.
    """

    backlog: float
    served_per_s: float
    arrivals_per_s: float
    drain_s: float | None
    longer: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery of a scope from a disturbance.

    - `reason`: a clause that says why the state is undecided; else empty.
    - `time_s`: seconds from the end of the disturbance. None unless recovered.
    - `observed_s`: the time after the disturbance that the run observed.
    - `window_s`: the resolution of `time_s`. A window starts at each second.
    - `peak_ms`: the highest p95 of a window from the start of the disturbance until the recovery.
    - `lasting`: the p95 after the recovery, or in the second half of the time after, divided by that of the stage
      before.
    """

    scope: str
    stage: str
    state: RecoveryState
    reason: str = ""
    time_s: float | None = None
    observed_s: float = 0.0
    window_s: int = 0
    spans: StageSpans | None = None
    band: Band | None = None
    bad: BadRequests | None = None
    peak_ms: float | None = None
    lasting: StageRatio | None = None
    queue: QueueDrain | None = None
    windows: tuple[WindowFigures, ...] = field(default=(), repr=False)

    @property
    def peak_ratio(self) -> float | None:
        """Return the peak divided by the median p95 of the stage before."""
        return self.peak_ms / self.band.median_ms if self.peak_ms is not None and self.band is not None else None


def recovery(
    traffic: Traffic,
    stages: Sequence[tuple[float, str]],
    stage: str,
    end_s: float,
    *,
    unreliable: str = "",
    seed: int = SEED,
) -> Recovery:
    """Return the recovery of a scope after `stage`.

    - `stages`: (start in epoch seconds, name), ascending, as in `Run.stages`.
    - `end_s`: the end of the load.
    - `unreliable`: a clause that says why the measurements cannot be used, such as a saturated load generator or
      arrivals that started late.
    """
    spans = stage_spans(stages, stage, end_s)
    if isinstance(spans, str):
        return Recovery(traffic.scope, stage, RecoveryState.UNDECIDED, spans)
    known = Recovery(traffic.scope, stage, RecoveryState.UNDECIDED, observed_s=spans.after.length_s, spans=spans)
    if unreliable:
        return replace(known, reason=unreliable)
    band = find_band(traffic, [spans.before], seed)
    if isinstance(band, NoBand):
        return replace(known, reason=band.reason)
    known = replace(known, band=band, window_s=band.window_s)
    windows = traffic.windows(spans.after, band.window_s)
    if len(windows) < MIN_STAY_WINDOWS * band.window_s:
        needed = duration(MIN_STAY_WINDOWS * band.window_s)
        length = duration(spans.after.length_s)
        return replace(known, reason=f"the time after {stage} was only {length}; at least {needed} are needed")
    inside = [band.contains(window) for window in windows]
    if all(state is None for state in inside):
        return replace(known, reason=f"there were too few requests after {stage} for a p95")
    last = len(windows) - MIN_STAY_WINDOWS * band.window_s
    at = next((number for number, stays in enumerate(staying(inside)) if stays and number <= last), None)
    time_s = None if at is None else _middle_s(windows[at], spans.after) if at else 0.0
    state = RecoveryState.NOT_RECOVERED if time_s is None else RecoveryState.RECOVERED
    return _with_effects(replace(known, state=state, time_s=time_s, windows=tuple(windows)), traffic, spans, band)


def _middle_s(window: WindowFigures, after: Span) -> float:
    return window.start_s + window.length_s // 2 - after.start_s


def _with_effects(found: Recovery, traffic: Traffic, spans: StageSpans, band: Band) -> Recovery:
    """Return the recovery with what the disturbance cost and what remained."""
    recovered_s = spans.after.end_s if found.time_s is None else spans.after.start_s + found.time_s
    affected = Span(spans.disturbance.start_s, recovered_s)
    p95s = [window.p95_ms for window in traffic.windows(affected, band.window_s) if window.p95_ms is not None]
    rest_s = (spans.after.start_s + spans.after.end_s) / 2 if found.time_s is None else recovered_s
    lasting = stage_ratio(traffic.slots_in(Span(rest_s, spans.after.end_s)), traffic.slots_in(spans.before), QUANTILE)
    return replace(
        found,
        bad=_bad_requests(traffic, spans, affected, band),
        peak_ms=max(p95s, default=None),
        lasting=None if isinstance(lasting, str) else lasting,
        queue=_queue(traffic, spans, found, band),
    )


def _bad_requests(traffic: Traffic, spans: StageSpans, affected: Span, band: Band) -> BadRequests:
    totals, before = traffic.totals_in(affected), traffic.totals_in(spans.before)
    usually = before.failures + before.success.count_above(band.limit_ms)
    return BadRequests(
        requests=totals.requests,
        failed=totals.failures,
        slow=totals.success.count_above(band.limit_ms),
        usual=usually / before.requests * totals.requests,
    )


def _queue(traffic: Traffic, spans: StageSpans, found: Recovery, band: Band) -> QueueDrain | None:
    """Return the time in which the target serves the queue that the disturbance has left, if it can be known."""
    level, usual = traffic.level_at(spans.after.start_s), traffic.mean_level(spans.before)
    after = traffic.totals_in(spans.after)
    arrivals = traffic.arrivals_in(spans.after, after.requests)
    rates = [window.requests / window.length_s for window in traffic.windows(_whole(spans), band.window_s)]
    if level is None or usual is None or arrivals is None or not rates or not spans.after.length_s:
        return None
    backlog, arriving, served = max(0.0, level - usual), arrivals / spans.after.length_s, max(rates)
    drain_s = backlog / (served - arriving) if served > arriving else None
    took_s = spans.after.length_s if found.time_s is None else found.time_s
    longer = drain_s is not None and took_s > drain_s + band.window_s
    return QueueDrain(backlog, served, arriving, drain_s, longer)


def _whole(spans: StageSpans) -> Span:
    return Span(spans.before.start_s, spans.after.end_s)


def decide_recovery(found: Recovery, holds: Callable[[float], bool]) -> Decision:
    """Decide a rule such as `recovery < 30s after rush`. `holds` compares seconds with the limit.

    A recovery time is known within one window. If the limit lies in this range, the rule is inconclusive. A recovery
    that the run did not see took longer than the time that it observed.
    """
    if found.state is RecoveryState.UNDECIDED:
        return Decision(RuleOutcome.INCONCLUSIVE, found.reason)
    within = recovery_interval(found)
    outcome = conclude(within, holds)
    samples = found.bad.requests if found.bad else 0
    if found.time_s is None:
        reason = f"{found.scope} did not recover within the {duration(found.observed_s)} after {found.stage}"
        return Decision(outcome, reason, None, within, samples)
    reason = f"{found.scope} recovered {duration(found.time_s)} after {found.stage}"
    if found.time_s == 0:
        reason = f"{found.scope} was inside its band from the end of {found.stage} on"
    elif outcome is RuleOutcome.INCONCLUSIVE:
        reason += f", but this is known only to ±{given(found.window_s)} s"
    return Decision(outcome, reason, found.time_s, within, samples)


def recovery_interval(found: Recovery) -> Interval:
    """Return the recovery time with its resolution. A scope that never left its band recovered after exactly 0 s."""
    if found.time_s is None:
        return Interval(max(0.0, found.observed_s - MIN_STAY_WINDOWS * found.window_s), None, 0.95)
    if found.time_s == 0:
        return Interval(0.0, 0.0, 0.95)
    return Interval(max(0.0, found.time_s - found.window_s), found.time_s + found.window_s, 0.95)
