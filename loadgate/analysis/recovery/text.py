"""Sentences about the recovery from a disturbance."""

from __future__ import annotations

from loadgate.analysis.recovery.recovery import Recovery, RecoveryState
from loadgate.units import count, duration, figure, given, milliseconds


def recovery_sentences(found: Recovery) -> list[str]:
    """Return the sentences about a recovery, the conclusion first."""
    if found.state is RecoveryState.UNDECIDED:
        return [f"It is not known whether {found.scope} recovered after {found.stage}: {found.reason}."]
    sentences = [_conclusion(found), _peak(found), _bad(found), _queue(found), _lasting(found), _band(found)]
    return [sentence for sentence in sentences if sentence]


def _conclusion(found: Recovery) -> str:
    if found.time_s is None:
        return f"{found.scope} did not recover within {duration(found.observed_s)} after {found.stage}."
    if found.time_s == 0:
        return f"{found.scope} was inside its band from the end of {found.stage} on."
    known = f"known to ±{given(found.window_s)} s"
    return f"{found.scope} recovered {duration(found.time_s)} after {found.stage} ({known})."


def _peak(found: Recovery) -> str:
    if found.peak_ms is None or found.peak_ratio is None or found.band is None:
        return ""
    usual = milliseconds(found.band.median_ms)
    return f"Its highest p95 was {milliseconds(found.peak_ms)}, {figure(found.peak_ratio)} times the usual {usual}."


def _bad(found: Recovery) -> str:
    bad = found.bad
    if bad is None or found.band is None or not bad.failed + bad.slow:
        return ""
    slow = f"{count(bad.slow)} took longer than {milliseconds(found.band.limit_ms)}"
    usual = f"usually, {count(round(bad.usual))} fail or take that long"
    return f"Of the {count(bad.requests)} requests until then, {count(bad.failed)} failed and {slow}; {usual}."


def _queue(found: Recovery) -> str:
    queue = found.queue
    if queue is None or queue.backlog < 1:
        return ""
    backlog = f"At the end of {found.stage}, {count(round(queue.backlog))} more requests than usual were in flight"
    if queue.drain_s is None:
        return f"{backlog}, and the target never served requests faster than they arrived afterwards."
    drain = f"{backlog}. At its highest rate, the target serves them in {duration(queue.drain_s)}"
    return f"{drain}; the recovery took longer than the queue alone explains." if queue.longer else f"{drain}."


def _lasting(found: Recovery) -> str:
    ratio = found.lasting
    if ratio is None:
        return ""
    when = f"in the second half of the time after {found.stage}" if found.time_s is None else "after the recovery"
    return f"The p95 {when} was {ratio.times} that of the stage before."


def _band(found: Recovery) -> str:
    band = found.band
    if band is None:
        return ""
    return f"The limit of its band is a p95 of {milliseconds(band.limit_ms)} ({band.reason})."
