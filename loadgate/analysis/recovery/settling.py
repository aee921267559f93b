"""How a scope behaves in the rush at the start of a run, and how long it then takes to settle.

A run such as `spike` has no stage before its rush. Its band is that of the second half of its steady part.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.analysis.recovery.band import NoBand, find_band, staying
from loadgate.analysis.recovery.recovery import RecoveryState
from loadgate.analysis.traffic import Span, Traffic
from loadgate.units import count, duration, given, milliseconds


@dataclass(frozen=True, slots=True)
class Settling:
    """The rush of a scope and the time after it.

    - `reason`: a clause that says why the state is undecided; else empty.
    - `time_s`: seconds from the end of the rush until the scope stays inside its band. None unless it settled.
    - `rush_ms`, `steady_ms`: the p95 of the successful requests that ended in the rush, and in the base of the band.
    - `peak_ms`: the highest p95 of a window in the rush and until the scope settled.
    """

    scope: str
    state: RecoveryState
    reason: str = ""
    time_s: float | None = None
    window_s: int = 0
    requests: int = 0
    failures: int = 0
    rush_ms: float | None = None
    steady_ms: float | None = None
    peak_ms: float | None = None


def settling(traffic: Traffic, rush: Span, steady: Span) -> Settling:
    """Return how a scope settles after a rush that is followed by a steady load."""
    middle_s = (steady.start_s + steady.end_s) / 2
    base = Span(middle_s, steady.end_s)
    band = find_band(traffic, [base])
    if isinstance(band, NoBand):
        return Settling(traffic.scope, RecoveryState.UNDECIDED, band.reason)
    windows = traffic.windows(Span(rush.start_s, steady.end_s), band.window_s)
    stays = staying([band.contains(window) for window in windows])
    # The band is made of the second half, so only a moment in the first half shows that the scope has settled.
    settled_s = next(
        (window.start_s for window, stay in zip(windows, stays, strict=True) if stay and window.start_s < middle_s),
        None,
    )
    until_s = middle_s if settled_s is None else max(settled_s, rush.end_s)
    peaks = [window.p95_ms for window in windows if window.start_s < until_s and window.p95_ms is not None]
    in_rush = traffic.totals_in(rush)
    return Settling(
        scope=traffic.scope,
        state=RecoveryState.NOT_RECOVERED if settled_s is None else RecoveryState.RECOVERED,
        time_s=None if settled_s is None else max(0.0, settled_s - rush.end_s),
        window_s=band.window_s,
        requests=in_rush.requests,
        failures=in_rush.failures,
        rush_ms=in_rush.success.quantile(0.95),
        steady_ms=traffic.totals_in(base).success.quantile(0.95),
        peak_ms=max(peaks, default=None),
    )


def settling_sentences(found: Settling, rush: Span, steady: Span) -> list[str]:
    """Return the sentences about a rush and the time after it."""
    if found.state is RecoveryState.UNDECIDED:
        return [f"It is not known whether {found.scope} settled after the ramp: {found.reason}."]
    failed = f"{count(found.failures)} of {count(found.requests)} requests failed"
    behaved = (
        f"In the ramp ({duration(round(rush.length_s))}), {found.scope} had a p95 of {milliseconds(found.rush_ms)}, "
        f"and {failed}. In the second half of the steady part, its p95 was {milliseconds(found.steady_ms)}."
    )
    if found.time_s is None:
        half = duration(round(steady.length_s / 2))
        return [behaved, f"{found.scope} did not settle in the {half} after the ramp."]
    if found.time_s == 0:
        return [behaved, f"{found.scope} was inside its band from the end of the ramp on."]
    known = f"known to ±{given(found.window_s)} s"
    return [behaved, f"{found.scope} settled {duration(found.time_s)} after the ramp ({known})."]
