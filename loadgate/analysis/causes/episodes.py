"""Episodes: the spans of a run in which a scope is outside its band."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev

from loadgate.analysis.recovery.band import WINDOWS_S, Band, NoBand, find_band, spread_limit, tolerated_ms
from loadgate.analysis.traffic import Span, Traffic, WindowFigures

MIN_OUTSIDE_S = 2
"""Episodes and excursions are longer than this."""

SIGNIFICANT = 4.0
"""The added mean latency must exceed this multiple of the standard deviation of the base's means."""

MAX_EPISODES = 10


@dataclass(frozen=True, slots=True)
class Episode:
    """A span in which a scope was outside its band.

    `mean_ms` and `base_mean_ms` are the mean latencies of all requests, failed ones included, in it and in the base.
    """

    scope: str
    span: Span
    mean_ms: float
    base_mean_ms: float
    peak_ms: float | None
    requests: int
    failures: int

    @property
    def added_ms(self) -> float:
        """Return the added mean latency."""
        return self.mean_ms - self.base_mean_ms


def steady_band(traffic: Traffic, steady: Span) -> Band | NoBand:
    """Return the band of a run without a disturbance: that of its steady part without its long excursions."""
    base = _without_excursions(traffic, steady)
    return find_band(traffic, [span for span in base if span.length_s >= WINDOWS_S[0]])


def _without_excursions(traffic: Traffic, steady: Span) -> list[Span]:
    """Return the parts of a span without the long excursions above their limit.

    Many excursions raise the limit above some of them. Each round therefore computes the limit without the excursions
    that were found before. At least half of the span must remain.
    """
    window_s = WINDOWS_S[0]
    windows = [window for window in traffic.windows(steady, window_s) if window.p95_ms is not None]
    base = [steady]
    while values := [window.p95_ms for window in _inside(windows, base) if window.p95_ms is not None]:
        limit_ms = max(tolerated_ms(median(values)), spread_limit(values, len(values) / window_s))
        outside = [window.start_s for window in windows if (window.p95_ms or 0.0) > limit_ms]
        slow = [_excursion(run, windows, steady) for run in _runs(outside)]
        rest = without(steady, [_margin(span) for span in slow if span.length_s > MIN_OUTSIDE_S])
        if not steady.length_s / 2 <= _length_s(rest) < _length_s(base):
            break
        base = rest
    return base


def _inside(windows: Sequence[WindowFigures], spans: Sequence[Span]) -> list[WindowFigures]:
    return [
        window
        for window in windows
        if any(span.start_s <= window.start_s and window.start_s + window.length_s <= span.end_s for span in spans)
    ]


def _excursion(run: Sequence[int], windows: Sequence[WindowFigures], steady: Span) -> Span:
    """Return the slow seconds. In the first or the last window, they may extend to the edge of the steady span."""
    core = _core(run, WINDOWS_S[0])
    start_s = steady.start_s if run[0] == windows[0].start_s else core.start_s
    end_s = steady.end_s if run[-1] == windows[-1].start_s else core.end_s
    return Span(start_s, end_s)


def _is_long(run: Sequence[int], window_s: int) -> bool:
    return run[-1] - run[0] + 1 >= window_s + MIN_OUTSIDE_S


def _core(run: Sequence[int], window_s: int) -> Span:
    """Return the seconds that are slow if the windows that start in these seconds are outside.

    A window is outside as soon as a small part of it is slow, so the overlap of the windows does not count.
    """
    return Span(run[0] + window_s - 1, run[-1] + 1)


def _margin(core: Span) -> Span:
    return Span(core.start_s - 1, core.end_s + 1)


def _length_s(spans: Sequence[Span]) -> float:
    return sum(span.length_s for span in spans)


def without(whole: Span, excluded: Sequence[Span]) -> list[Span]:
    """Return the parts of a span outside the excluded ones, which are ascending."""
    kept: list[Span] = []
    start_s = whole.start_s
    for span in excluded:
        kept.append(Span(start_s, min(whole.end_s, max(start_s, span.start_s))))
        start_s = max(start_s, span.end_s)
    kept.append(Span(min(start_s, whole.end_s), whole.end_s))
    return [span for span in kept if span.length_s > 0]


def find_episodes(traffic: Traffic, loaded: Span, band: Band) -> list[Episode]:
    """Return the episodes of a scope in a span, the worst ten of them, ascending.

    An episode lasts at least three seconds and adds a mean latency that does not occur by chance.
    """
    outside = [window.start_s for window in traffic.windows(loaded, band.window_s) if band.contains(window) is False]
    chance = _Chance(traffic, band.base)
    found = [
        episode
        for run in _runs(outside, gap=band.window_s)
        if _is_long(run, band.window_s)
        and (episode := _episode(traffic, _core(run, band.window_s), band, chance)) is not None
    ]
    worst = sorted(found, key=lambda episode: episode.added_ms * episode.requests, reverse=True)[:MAX_EPISODES]
    return sorted(worst, key=lambda episode: episode.span.start_s)


def _episode(traffic: Traffic, span: Span, band: Band, chance: _Chance) -> Episode | None:
    counts, base = traffic.counts_in(span), traffic.counts_in(*band.base)
    if counts.mean_ms is None or base.mean_ms is None:
        return None
    if counts.mean_ms - base.mean_ms <= SIGNIFICANT * chance.deviation_ms(span.length_s):
        return None
    peaks = [window.p95_ms for window in traffic.windows(span, band.window_s) if window.p95_ms is not None]
    peak_ms = max(peaks, default=None)
    return Episode(traffic.scope, span, counts.mean_ms, base.mean_ms, peak_ms, counts.requests, counts.failures)


@dataclass(slots=True)
class _Chance:
    """How much the mean latency of a base varies by chance."""

    traffic: Traffic
    base: Sequence[Span]
    known_ms: dict[float, float] = field(default_factory=dict)

    def deviation_ms(self, length_s: float) -> float:
        """Return the standard deviation of the means of blocks of a length. It is infinite if there is one block."""
        if length_s not in self.known_ms:
            means_ms = [mean_ms for span in self.base for mean_ms in _block_means(self.traffic, span, length_s)]
            self.known_ms[length_s] = stdev(means_ms) if len(means_ms) > 1 else math.inf
        return self.known_ms[length_s]


def _block_means(traffic: Traffic, span: Span, length_s: float) -> Iterator[float]:
    """Yield the means of the blocks of a span. They are as long as the episode, and at least six fit."""
    step_s = max(1.0, min(length_s, span.length_s / 6))
    for number in range(int(span.length_s // step_s)):
        part = Span(math.ceil(span.start_s + number * step_s), math.ceil(span.start_s + (number + 1) * step_s))
        mean_ms = traffic.counts_in(part).mean_ms
        if mean_ms is not None:
            yield mean_ms


def _runs(seconds: Sequence[int], gap: int = 1) -> list[list[int]]:
    """Return the groups of ascending seconds whose distance is at most `gap`."""
    groups: list[list[int]] = []
    for second in seconds:
        if groups and second - groups[-1][-1] <= gap:
            groups[-1].append(second)
        else:
            groups.append([second])
    return groups
