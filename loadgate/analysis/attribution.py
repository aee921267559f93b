"""Attribution: which measured wait explains the latency that an episode adds.

This is accounting. Let A be the latency that the episode adds to all requests of the target, in request seconds, and E
the seconds that they waited for one thing in addition to what as many requests of the base wait. The share of the wait
is E ÷ A. Groups that became faster do not reduce A. Counters of a target do not say which requests waited; but what a
group waited for is part of what it lost, so each affected group gets the same share of its loss. If several groups are
slow for different reasons, all shares become smaller, and nothing is explained rather than something wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev

from loadgate.analysis.band import NoBand, find_band
from loadgate.analysis.episodes import Episode, find_episodes, steady_band
from loadgate.analysis.traffic import Span, Traffic
from loadgate.analysis.waits import CPU, Wait, highest, level, limit_of, period_waits
from loadgate.recorder import LatencySketch, Totals
from loadgate.recorder.resources import WAIT_COUNT, WAIT_SUM, ResourceColumn, ResourceRecord

CAUSE = 0.5
"""A wait with at least this share of the added latency is its cause."""

RULED_OUT = 0.2
"""A wait with less than this share is not the cause."""

SATURATED = 0.9
ROSE = 1.2
ROSE_DEVIATIONS = 4.0
MAX_RISES = 3


@dataclass(frozen=True, slots=True)
class MeasuredTarget:
    """What was measured of the target.

    - `waits`: the waits of requests. Waits of background work do not belong here.
    - `cores`: the cores that a resource can use if these are fewer than its `cpu.limit`. A process with one event loop
      of Python can use one.
    """

    record: ResourceRecord
    waits: Sequence[Wait] = ()
    cores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an added latency that a wait explains: `added_ms` of the mean, a `share` of it.

    `held` and `limit` are the highest level during the episode and its limit, such as 20 of 20 connections.
    """

    wait: Wait
    added_ms: float
    share: float
    held: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class CpuUse:
    """The CPU time of a resource in cores, during the episode and in the base, and the cores that it can use."""

    resource: str
    used: float
    base: float
    cores: float

    @property
    def utilisation(self) -> float:
        """Return the used share of the cores."""
        return self.used / self.cores

    @property
    def is_saturated(self) -> bool:
        """Return whether the resource had no CPU time left, and more than before."""
        return self.utilisation >= SATURATED and self.used > self.base * 1.05


@dataclass(frozen=True, slots=True)
class Rise:
    """A quantity that was higher during the episode. This says nothing about causes."""

    column: ResourceColumn
    value: float
    base: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """The explanation of an episode.

    `cause` is the wait with at least half of the added latency. Without one, `saturated` is a resource whose CPU was
    saturated, which is likely to be the cause but is not measured as a wait. Without both, nothing measured explains
    the episode, and `rises` are what was higher at the same time.
    """

    episode: Episode
    shares: tuple[Share, ...]
    cpu: tuple[CpuUse, ...] = ()
    rises: tuple[Rise, ...] = ()

    @property
    def cause(self) -> Share | None:
        """Return the wait that explains at least half of the added latency."""
        return self.shares[0] if self.shares and self.shares[0].share >= CAUSE else None

    @property
    def saturated(self) -> CpuUse | None:
        """Return the resource whose CPU was saturated while no wait explains the episode."""
        if self.cause is not None:
            return None
        return max((use for use in self.cpu if use.is_saturated), key=lambda use: use.utilisation, default=None)

    @property
    def ruled_out(self) -> tuple[Share, ...]:
        """Return the measured waits that are not the cause."""
        return tuple(share for share in self.shares if share.share < RULED_OUT)


def attribute(
    episode: Episode,
    base: Sequence[Span],
    groups: Sequence[Traffic],
    target: MeasuredTarget,
) -> Attribution:
    """Return what explains an episode.

    - `base`: the spans of the scope's band.
    - `groups`: the traffic of all requests of the target, in disjoint scopes.
    """
    record, during = target.record, [episode.span]
    requests, base_requests = _requests(groups, during), _requests(groups, base)
    added_s = sum(max(0.0, _added_s(group, during, base)) for group in groups)
    now = period_waits(record, target.waits, during, requests).per_request_s
    before = period_waits(record, target.waits, base, base_requests).per_request_s
    excess = {wait: max(0.0, now[wait] - before[wait]) * requests for wait in now if wait in before}
    # Waits of other clients, or in parallel, can add up to more than the requests lost.
    whole_s = max(added_s, sum(excess.values()))
    shares = sorted(
        (_share(episode, wait, seconds / whole_s if whole_s else 0.0, record) for wait, seconds in excess.items()),
        key=lambda share: share.share,
        reverse=True,
    )
    return Attribution(episode, tuple(shares), tuple(_cpu(target, during, base)), tuple(_rises(record, during, base)))


def _requests(groups: Sequence[Traffic], spans: Sequence[Span]) -> int:
    return sum(group.totals_in(span).requests for group in groups for span in spans)


def _latency(group: Traffic, spans: Sequence[Span]) -> LatencySketch:
    totals = Totals.sum(group.totals_in(span) for span in spans)
    return LatencySketch.sum_of([totals.success, totals.failure])


def _added_s(group: Traffic, during: Sequence[Span], base: Sequence[Span]) -> float:
    now, before = _latency(group, during), _latency(group, base)
    if now.mean_ms is None or before.mean_ms is None:
        return 0.0
    return now.count * (now.mean_ms - before.mean_ms) / 1000


def _share(episode: Episode, wait: Wait, share: float, record: ResourceRecord) -> Share:
    held = limit = None
    if wait.held is not None:
        held = highest(record.series(wait.resource, wait.held), [episode.span])
        limit = level(limit_of(record, wait.resource, wait.held), [episode.span])
    return Share(wait, share * episode.added_ms, share, held, limit)


def _cpu(target: MeasuredTarget, during: Sequence[Span], base: Sequence[Span]) -> list[CpuUse]:
    uses: list[CpuUse] = []
    for resource in target.record.resources():
        series = target.record.series(resource, CPU)
        used, before = level(series, during), level(series, base)
        limits = (target.cores.get(resource), level(limit_of(target.record, resource, CPU), during))
        available = min((limit for limit in limits if limit), default=None)
        if used is not None and before is not None and available:
            uses.append(CpuUse(resource, used, before, available))
    return uses


def _rises(record: ResourceRecord, during: Sequence[Span], base: Sequence[Span]) -> list[Rise]:
    """Return the quantities that rose most, in standard deviations of the base."""
    rises: list[tuple[float, Rise]] = []
    for column in record.columns:
        if column.quantity.endswith((WAIT_SUM, WAIT_COUNT)):
            continue
        series = record.series(column.resource, column.quantity)
        now = level(series, during)
        usual = [value for span in base for value in series.between(span.start_s, span.end_s).values] if series else []
        if now is None or len(usual) < 2:
            continue
        mean, deviation = fmean(usual), pstdev(usual)
        if now > ROSE * mean and now > mean + ROSE_DEVIATIONS * deviation and now > 0:
            rises.append(((now - mean) / (deviation or abs(mean) or now), Rise(column, now, mean)))
    return [rise for _, rise in sorted(rises, key=lambda pair: pair[0], reverse=True)[:MAX_RISES]]


def explain(
    overall: Traffic, groups: Sequence[Traffic], loaded: Span, target: MeasuredTarget, before: Span | None = None
) -> list[Attribution]:
    """Return the explanations of all episodes of a run, by scope and time.

    An episode of all requests is left out if a group has one at that time, because the group says more.

    - `loaded`: the span with the load of the profile, without the ramp of its start.
    - `before`: the stage before a disturbance, for a profile that has one; else the band is that of the steady part.
    """
    scopes = groups or [overall]
    found = [explained for group in groups for explained in _explained(group, scopes, loaded, target, before)]
    seen = [explained.episode.span for explained in found]
    return found + [
        explained
        for explained in _explained(overall, scopes, loaded, target, before)
        if not any(explained.episode.span.overlaps(span) for span in seen)
    ]


def _explained(
    traffic: Traffic, scopes: Sequence[Traffic], loaded: Span, target: MeasuredTarget, before: Span | None
) -> list[Attribution]:
    band = steady_band(traffic, loaded) if before is None else find_band(traffic, [before])
    if isinstance(band, NoBand):
        return []
    return [attribute(episode, band.base, scopes, target) for episode in find_episodes(traffic, loaded, band)]
