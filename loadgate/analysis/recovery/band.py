"""The band of a scope: what its p95, its failures and its completions are while nothing disturbs it.

The upper limit of the p95 of a window is the highest of these:

- 10 %, and at least 10 ms, above the median of the base's windows;
- the median and three scaled median absolute deviations (Hampel, JASA 69, 1974), more if the base is short;
- the limit that 99 % of simulated stages keep, whose seconds are drawn from the base (`drawn_limit`).

The band is then tested on the base itself, as a placebo: the share of its moments at which the rule for recovery would
say that a recovery is needed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, median

from loadgate.analysis.binomial import binomial_cdf
from loadgate.analysis.confidence import share_interval
from loadgate.analysis.design_effect import SUCCEEDED, failure_effects
from loadgate.analysis.recovery.drawn_limit import EXTREME, SEED, STAYS, drawn_limit, quantile_of
from loadgate.analysis.student import student_quantile
from loadgate.analysis.tails import MIN_SUCCESSES
from loadgate.analysis.traffic import Counts, Span, Traffic, WindowFigures
from loadgate.units import count, duration

WINDOWS_S = (5, 10, 20)
"""The length of a window: the first one with enough requests for a p95."""

MIN_WINDOWS = 6
"""Minimum length of a base, in windows."""

TOLERANCE = 0.10
TOLERANCE_MS = 10.0
"""Other programs on the machine delay single requests by this much. Without it, the p95 of an endpoint that takes 2 ms
would leave its band whenever another program runs."""

FAILURE_TOLERANCE = 0.01
"""One percentage point."""

DEVIATIONS = 3.0
MAD_SCALE = 1.4826
"""The standard deviation of a normal distribution in median absolute deviations."""

MAX_PLACEBO = 0.05


@dataclass(frozen=True, slots=True)
class Band:
    """The band of a scope.

    - `limit_ms`: the highest p95 of a window inside the band; `reason` says what determined it.
    - `failures_limit`: the upper bound of the true share of failures. A window is outside if so many failures are
      expected in less than 1 % of the windows with this share.
    - `completion_floor`: the lowest completions ÷ arrivals; None if arrivals are unknown.
    - `placebo`: the share of the base's moments at which a recovery would be needed.
    - `widened`: whether the band was made wider until the placebo was at most 5 %.
    """

    base: tuple[Span, ...]
    window_s: int
    median_ms: float
    limit_ms: float
    reason: str
    failure_share: float
    failures_limit: float
    completion_floor: float | None
    placebo: float = 0.0
    widened: bool = False

    def contains(self, window: WindowFigures) -> bool | None:
        """Return whether a window lies inside. None if it has too few requests to tell."""
        if not window.requests:
            # A base has requests in each window, so a window without any is a target that does not answer.
            return None if window.arrivals is not None and window.arrivals < 1 else False
        if window.p95_ms is not None and window.p95_ms > self.limit_ms:
            return False
        if self._fails_more(window) or self._falls_behind(window):
            return False
        return True if window.p95_ms is not None else None

    def _fails_more(self, window: WindowFigures) -> bool:
        share = window.failures / window.requests
        return share > self.failure_share + FAILURE_TOLERANCE and _is_rare(
            window.failures, window.requests, self.failures_limit
        )

    def _falls_behind(self, window: WindowFigures) -> bool:
        return (
            self.completion_floor is not None
            and window.completion is not None
            and window.completion < self.completion_floor
        )


@dataclass(frozen=True, slots=True)
class NoBand:
    """A scope without a band. `reason` is a clause."""

    reason: str


def staying(inside: Sequence[bool | None]) -> list[bool]:
    """Return, for each window, whether it and at least 95 % of those from it on lie inside the band.

    Unknown windows do not count, and nothing stays inside from an unknown window on.
    """
    stays: list[bool] = []
    known = good = 0
    for state in reversed(inside):
        known += state is not None
        good += state is True
        stays.append(state is True and good >= STAYS * known)
    return stays[::-1]


def find_band(traffic: Traffic, base: Sequence[Span], seed: int = SEED) -> Band | NoBand:
    """Return the band of the requests that ended in the spans of `base`."""
    spans = tuple(base)
    length_s = sum(span.length_s for span in spans)
    counts = traffic.counts_in(*spans)
    requests, failures = counts.requests, counts.failures
    if not requests:
        return NoBand("there were no requests before")
    if failures > requests / 2:
        return NoBand(f"{count(failures)} of {count(requests)} requests before failed")
    for window_s in WINDOWS_S:
        if length_s < MIN_WINDOWS * window_s:
            break
        windows = [window for span in spans for window in traffic.windows(span, window_s)]
        p95s = [window.p95_ms for window in windows if window.p95_ms is not None]
        if windows and len(p95s) >= STAYS * len(windows):
            limit_ms, reason = _limit(traffic, spans, window_s, p95s, seed)
            band = Band(
                base=spans,
                window_s=window_s,
                median_ms=median(p95s),
                limit_ms=limit_ms,
                reason=reason,
                failure_share=failures / requests,
                failures_limit=_highest_share(traffic, spans, counts),
                completion_floor=_completion_floor(windows),
            )
            return _widened(band, windows)
    if length_s < MIN_WINDOWS * WINDOWS_S[0]:
        return NoBand(
            f"the time before was only {duration(length_s)}; at least {MIN_WINDOWS * WINDOWS_S[0]} s are needed"
        )
    needed = f"{MIN_SUCCESSES} successful requests in each window of {WINDOWS_S[0]} to {WINDOWS_S[-1]} s"
    return NoBand(f"{count(requests)} requests in the {duration(length_s)} before are too few; a p95 needs {needed}")


def _limit(
    traffic: Traffic, spans: Sequence[Span], window_s: int, p95s: Sequence[float], seed: int
) -> tuple[float, str]:
    """Return the highest of the three limits, and what determined it."""
    middle_ms = median(p95s)
    highest = max(
        (tolerated_ms(middle_ms), "10 %, and at least 10 ms, above the usual p95"),
        (spread_limit(p95s, sum(span.length_s for span in spans) / window_s), "three deviations above the usual p95"),
    )
    parts = [part for span in spans for part in traffic.tails_in(span, window_s)]
    drawn_ms = drawn_limit(parts, window_s, middle_ms, highest[0], seed)
    return highest if drawn_ms is None else (drawn_ms, "99 % of stages resampled from usual seconds stay below it")


def tolerated_ms(middle_ms: float) -> float:
    """Return the highest latency that does not matter in comparison with the usual one."""
    return max(middle_ms * (1 + TOLERANCE), middle_ms + TOLERANCE_MS)


def spread_limit(values: Sequence[float], independent: float) -> float:
    """Return the median and three scaled median absolute deviations of values, of which so many are independent.

    Three deviations that are estimated from few values are too few. They are replaced by the quantile of Student's
    distribution with the same probability, and by the spread of one more value.
    """
    middle = median(values)
    deviation = MAD_SCALE * median(abs(value - middle) for value in values)
    degrees = max(2, int(independent) - 1)
    student = student_quantile(NormalDist().cdf(DEVIATIONS), degrees)
    return middle + student * math.sqrt(1 + 1 / (degrees + 1)) * deviation


def _highest_share(traffic: Traffic, spans: Sequence[Span], counts: Counts) -> float:
    """Return the upper bound of the share of failures in spans. Failures in the same stall count as one."""
    effects = failure_effects(slot for span in spans for slot in traffic.slots_in(span))
    interval = share_interval(counts.failures, counts.requests, effect=effects.get(SUCCEEDED))
    return (interval.high or 0.0) / 100 if interval else 0.0


def _completion_floor(windows: Sequence[WindowFigures]) -> float | None:
    shares = [window.completion for window in windows if window.completion is not None]
    if len(shares) < STAYS * len(windows):
        return None
    middle = median(shares)
    down = spread_limit(shares, len(shares) / windows[0].length_s) - middle
    return max(0.0, min(middle * (1 - TOLERANCE), middle - down, quantile_of(shares, 1 - EXTREME)))


def _widened(band: Band, windows: Sequence[WindowFigures]) -> Band:
    """Return the band, made wider until at most 5 % of the base's moments would need a recovery."""
    band = replace(band, placebo=placebo(band, windows))
    if band.placebo <= MAX_PLACEBO:
        return band
    completions = [window.completion for window in windows if window.completion is not None]
    wide = replace(
        band,
        failures_limit=max(
            band.failures_limit, *(window.failures / window.requests for window in windows if window.requests)
        ),
        completion_floor=None if band.completion_floor is None else min(band.completion_floor, *completions),
        reason="widened, because the stage before was not steady",
        widened=True,
    )
    p95s = [window.p95_ms for window in windows if window.p95_ms is not None]
    limits_ms = sorted({band.limit_ms, *(value for value in p95s if value > band.limit_ms)})
    # The placebo never grows with the limit, so the lowest limit that suffices is found by bisection.
    lowest = bisect_left(
        limits_ms, True, hi=len(limits_ms) - 1, key=lambda ms: _suffices(replace(wide, limit_ms=ms), windows)
    )
    wide = replace(wide, limit_ms=limits_ms[lowest])
    return replace(wide, placebo=placebo(wide, windows))


def _suffices(band: Band, windows: Sequence[WindowFigures]) -> bool:
    return placebo(band, windows) <= MAX_PLACEBO


def placebo(band: Band, windows: Sequence[WindowFigures]) -> float:
    """Return the share of the moments of the base at which a recovery would be needed."""
    inside = [band.contains(window) for window in windows]
    stays = [stay for stay, state in zip(staying(inside), inside, strict=True) if state is not None]
    return stays.count(False) / len(stays) if stays else 0.0


def _is_rare(successes: int, trials: int, share: float) -> bool:
    """Return whether at least so many successes are expected in less than 1 % of the cases (binomial)."""
    return successes > trials * share and binomial_cdf(successes - 1, trials, share) > EXTREME
