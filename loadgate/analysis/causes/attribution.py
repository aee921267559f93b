"""Attribution: which measured wait explains the latency that an episode adds.

This is accounting. Let A be the latency that the episode adds to all requests, in request seconds. Let E be the
additional seconds that they waited for one thing, compared with as many requests of the base. The share of the wait is
E ÷ A.

- Only groups that use the wait count in A. Counters of a target do not say which requests waited, so the groups that
  use a wait are found by a regression (`users`), and each of them gets the same share of what it lost.
- Groups that became faster do not reduce A. If several groups are slow for different reasons that cannot be told
  apart, all shares become smaller, so that no cause is named rather than a wrong one.
- Shares never add up to more than 1: waits of other clients, or waits in parallel, are scaled down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgate.analysis.causes.episodes import Episode, find_episodes, steady_band
from loadgate.analysis.causes.usual import MeasuredTarget, Usual
from loadgate.analysis.causes.waits import Wait, WaitKind, highest, level, limit_of, period_waits
from loadgate.analysis.recovery.band import NoBand, find_band
from loadgate.analysis.traffic import Counts, Span, Traffic
from loadgate.recorder.resources import WAIT_SUM, ResourceColumn, ResourceRecord
from loadgate.resource_names import CPU

CAUSE = 0.5
"""A wait with at least this share of the added latency is its cause."""

RULED_OUT = 0.2
"""A wait with less than this share is not the cause."""

SATURATED = 0.9
"""A resource that uses at least this share of its cores is saturated."""

MORE = 1.05
"""A saturated CPU counts only if its use is above this multiple of its use in the base."""

ROSE = 1.2
ROSE_DEVIATIONS = 4.0
"""A quantity rose if it is above this multiple of its mean and this many standard deviations above it."""

MAX_RISES = 3


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an added latency that a wait explains.

    - `added_ms`: the part in milliseconds of the mean latency.
    - `share`: the part as a fraction of the added latency.
    - `held`, `limit`: the highest level during the episode and its limit, such as 20 of 20 connections.
    """

    wait: Wait
    added_ms: float
    share: float
    held: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class CpuUse:
    """The CPU time of a resource in cores, during the episode and in the base, and the cores that it can use.

    `waited` are the seconds per second in which its threads were ready to run and did not run; None if unknown.
    """

    resource: str
    used: float
    base: float
    cores: float
    waited: float | None = None

    @property
    def utilisation(self) -> float:
        """Return the used share of the cores."""
        return self.used / self.cores

    @property
    def is_saturated(self) -> bool:
        """Return whether the resource had no CPU time left and used more than in the base."""
        return self.utilisation >= SATURATED and self.used > self.base * MORE

    @property
    def is_starved(self) -> bool:
        """Return whether its threads had no time left because they waited for a CPU more than they used one.

        Requests then queue for the threads, and hold their connections meanwhile. The waits of other requests, for
        example for a connection, are a consequence.
        """
        waited = self.waited or 0.0
        return waited > self.used and self.used + waited >= SATURATED * self.cores


@dataclass(frozen=True, slots=True)
class Rise:
    """A quantity that was higher during the episode. This says nothing about causes."""

    column: ResourceColumn
    value: float
    base: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """The explanation of an episode.

    The first of these that exists is the explanation:

    - `starved`: a resource that waited for a CPU nearly all of the time.
    - `cause`: the wait with at least half of the added latency.
    - `saturated`: a resource whose CPU was saturated, which is probably the cause but is not measured as a wait.

    Without them, nothing measured explains the episode. `rises` are the quantities that were higher at the same time.
    """

    episode: Episode
    shares: tuple[Share, ...]
    cpu: tuple[CpuUse, ...] = ()
    rises: tuple[Rise, ...] = ()

    @property
    def starved(self) -> CpuUse | None:
        """Return the resource that waited for a CPU nearly all of the time."""
        return next((use for use in self.cpu if use.is_starved), None)

    @property
    def cause(self) -> Share | None:
        """Return the wait that explains at least half of the added latency."""
        if self.starved is not None or not self.shares or self.shares[0].share < CAUSE:
            return None
        return self.shares[0]

    @property
    def saturated(self) -> CpuUse | None:
        """Return the resource whose CPU was saturated while no wait explains the episode.

        If a wait for a CPU is measured, other resources do not count, such as the whole machine: what they delay is
        part of that wait, or of the wait for them.
        """
        if self.starved is not None or self.cause is not None:
            return None
        is_measured = any(share.wait.kind is WaitKind.CPU for share in self.shares)
        uses = [use for use in self.cpu if use.is_saturated and (use.waited is not None or not is_measured)]
        return max(uses, key=lambda use: use.utilisation, default=None)

    @property
    def ruled_out(self) -> tuple[Share, ...]:
        """Return the measured waits that are not the cause."""
        return tuple(share for share in self.shares if share.share < RULED_OUT)


def attribute(episode: Episode, usual: Usual) -> Attribution:
    """Return what explains an episode."""
    target, groups, during = usual.target, usual.groups, [episode.span]
    counts = [group.counts_in(episode.span) for group in groups]
    requests = sum(part.requests for part in counts)
    now = period_waits(target.record, target.waits, during, requests).per_request_s
    losses = [max(0.0, _added_s(part, before)) for part, before in zip(counts, usual.counts, strict=True)]
    shares: dict[Wait, float] = {}
    for wait in now.keys() & usual.waits_s.keys():
        using = usual.users[wait]
        lost_s = sum(losses[number] for number in using)
        is_affected = episode.scope not in _scopes(groups) or episode.scope in _scopes(
            groups[number] for number in using
        )
        excess_s = max(0.0, now[wait] - usual.waits_s[wait]) * requests
        shares[wait] = min(1.0, excess_s / lost_s) if lost_s and is_affected else 0.0
    whole = max(1.0, sum(shares.values()))
    ranked = sorted(target.waits, key=lambda wait: shares.get(wait, 0.0), reverse=True)
    return Attribution(
        episode,
        tuple(_share(episode, wait, shares[wait] / whole, target.record) for wait in ranked if wait in shares),
        tuple(_cpu(usual, during)),
        tuple(_rises(usual, during)),
    )


def _scopes(groups: Iterable[Traffic]) -> set[str]:
    return {group.scope for group in groups}


def _added_s(now: Counts, before: Counts) -> float:
    if now.mean_ms is None or before.mean_ms is None:
        return 0.0
    return now.timed * (now.mean_ms - before.mean_ms) / 1000


def _share(episode: Episode, wait: Wait, share: float, record: ResourceRecord) -> Share:
    held = limit = None
    if wait.held is not None:
        held = highest(record.series(wait.resource, wait.held), [episode.span])
        limit = level(limit_of(record, wait.resource, wait.held), [episode.span])
    return Share(wait, share * episode.added_ms, share, held, limit)


def _cpu(usual: Usual, during: Sequence[Span]) -> list[CpuUse]:
    target, uses = usual.target, list[CpuUse]()
    for resource, before in usual.cpu.items():
        used = level(target.record.series(resource, CPU), during)
        limits = (target.cores.get(resource), level(limit_of(target.record, resource, CPU), during))
        available = min((limit for limit in limits if limit), default=None)
        if used is not None and before is not None and available:
            waited = [
                flow for wait in target.waits if (flow := _cpu_wait(wait, resource, target.record, during)) is not None
            ]
            uses.append(CpuUse(resource, used, before, available, sum(waited) if waited else None))
    return uses


def _cpu_wait(wait: Wait, resource: str, record: ResourceRecord, during: Sequence[Span]) -> float | None:
    if wait.kind is not WaitKind.CPU or wait.resource != resource:
        return None
    return level(record.series(resource, wait.quantity + WAIT_SUM), during)


def _rises(usual: Usual, during: Sequence[Span]) -> list[Rise]:
    """Return the quantities that rose most, in standard deviations of the base."""
    rises: list[tuple[float, Rise]] = []
    for column, (mean, deviation) in usual.levels.items():
        now = level(usual.target.record.series(column.resource, column.quantity), during)
        if now is not None and now > max(0.0, ROSE * mean, mean + ROSE_DEVIATIONS * deviation):
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
    usual = Usual(band.base, scopes, target)
    return [attribute(episode, usual) for episode in find_episodes(traffic, loaded, band)]
