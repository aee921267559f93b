"""Sentences about the recovery from a disturbance."""

from __future__ import annotations

from loadgate.analysis.recovery import STEP_S, Recovery, RecoveryState
from loadgate.units import count, duration, figure, milliseconds


def recovery_sentences(found: Recovery) -> list[str]:
    """Return the sentences about a recovery, the conclusion first."""
    if found.state is RecoveryState.UNDECIDED:
        return [f"Whether {found.scope} recovered after {found.stage} is not known: {found.reason}."]
    sentences = [_conclusion(found), _peak(found), _bad(found), _queue(found), _lasting(found), _band(found)]
    return [sentence for sentence in sentences if sentence]


def _conclusion(found: Recovery) -> str:
    if found.time_s is None:
        return f"{found.scope} did not recover within {duration(found.observed_s)} after {found.stage}."
    if found.time_s == 0:
        return f"{found.scope} was inside its band from the end of {found.stage} on."
    resolution = f"windows of {duration(found.window_s)}, every {duration(STEP_S)}"
    return f"{found.scope} recovered {duration(found.time_s)} after {found.stage} ({resolution})."


def _peak(found: Recovery) -> str:
    if found.peak_ms is None or found.peak_ratio is None or found.band is None:
        return ""
    usual = milliseconds(found.band.median_ms)
    return f"Its p95 was at most {milliseconds(found.peak_ms)}, {figure(found.peak_ratio)} times the usual {usual}."


def _bad(found: Recovery) -> str:
    bad = found.bad
    if bad is None or found.band is None or not bad.failed + bad.slow:
        return ""
    slow = f"{count(bad.slow)} took longer than {milliseconds(found.band.limit_ms)}"
    usual = f"usual are {count(round(bad.usual))}"
    return f"Of {count(bad.requests)} requests meanwhile, {count(bad.failed)} failed and {slow}; {usual}."


def _queue(found: Recovery) -> str:
    queue = found.queue
    if queue is None or queue.backlog < 1:
        return ""
    backlog = f"{count(round(queue.backlog))} requests waited at the end of {found.stage}"
    if queue.drain_s is None:
        return f"{backlog}, and the target never served requests faster than they arrived afterwards."
    drain = f"{backlog}, which the target serves in {duration(queue.drain_s)} at its highest rate"
    return f"{drain}: the recovery took longer than the queue alone explains." if queue.longer else f"{drain}."


def _lasting(found: Recovery) -> str:
    ratio = found.lasting
    if ratio is None:
        return ""
    low, high = (figure(bound) if bound is not None else "?" for bound in (ratio.interval.low, ratio.interval.high))
    when = "in the second half of the time after" if found.time_s is None else "after the recovery"
    return f"The p95 {when} was {figure(ratio.value)} times that before ({low} to {high})."


def _band(found: Recovery) -> str:
    band = found.band
    if band is None:
        return ""
    widened = "; the band was widened, because the stage before was not steady" if band.widened else ""
    return f"The band ends at a p95 of {milliseconds(band.limit_ms)} ({band.reason}){widened}."
