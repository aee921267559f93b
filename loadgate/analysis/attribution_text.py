"""Sentences about episodes and what explains them."""

from __future__ import annotations

from loadgate.analysis.attribution import RULED_OUT, SATURATED, Attribution, CpuUse, Rise, Share
from loadgate.recorder.resources import ColumnKind, ResourceUnit
from loadgate.units import clock, count, duration, figure, given, given_percentage, milliseconds, size

MAX_NAMED = 4


def episode_sentence(explained: Attribution, started_s: float) -> str:
    """Return the sentences about an episode. `started_s` is the start of the run, from which its time is counted."""
    episode = explained.episode
    since, lasted = clock(episode.span.start_s - started_s), duration(episode.span.length_s)
    head = f"{episode.scope} left its band at {since} for {lasted} (+{milliseconds(episode.added_ms)} mean)"
    if explained.starved is not None:
        use = explained.starved
        ready = f"its threads were ready to run for {figure(use.waited)} s of each second and used {figure(use.used)} s"
        return f"{head}, while {use.resource} waited for a CPU: {ready}.{_not_the_cause(explained)}"
    if explained.cause is not None:
        cause = explained.cause
        part = f"{milliseconds(cause.added_ms)} of it ({_whole_percent(cause.share)})"
        return f"{head}; {part} is {_named(cause)}.{_not_the_cause(explained)}"
    if explained.saturated is not None:
        use = explained.saturated
        return (
            f"{head}, while the CPU of {use.resource} was saturated ({_cores(use)}, {figure(use.base)} before). "
            f"No measured wait explains it.{_not_the_cause(explained)}"
        )
    parts = [f"{head}, which is not explained by anything measured.", _partly(explained), _rose(explained)]
    return " ".join(part for part in parts if part) + _not_the_cause(explained)


def _named(share: Share) -> str:
    held = ""
    if share.held is not None and share.limit:
        held = f", {count(round(share.held))} of {count(round(share.limit))} in use"
    return share.wait.words + held


def _partly(explained: Attribution) -> str:
    some = [share for share in explained.shares if share.share >= RULED_OUT]
    shown = ", ".join(f"{share.wait.words} {_whole_percent(share.share)}" for share in some)
    return f"A part of it is measured: {shown}." if some else ""


def _rose(explained: Attribution) -> str:
    shown = ", ".join(
        f"{rise.column.resource} {rise.column.quantity} ({_amount(rise, rise.base)} to {_amount(rise, rise.value)})"
        for rise in explained.rises
    )
    return f"At the same time rose, which does not show a cause: {shown}." if shown else ""


def _not_the_cause(explained: Attribution) -> str:
    # A CPU that was as busy in the base is neither named nor ruled out.
    uses = [use for use in explained.cpu if use.utilisation < SATURATED and not use.is_starved]
    shown = [f"CPU of {use.resource} {_whole_percent(use.utilisation)}" for use in uses]
    if explained.starved is None:
        shown += [f"{share.wait.words} {_about(share.added_ms)}" for share in explained.ruled_out[:MAX_NAMED]]
    return f" Not the cause: {', '.join(shown)}." if shown else ""


def _about(added_ms: float) -> str:
    return given(round(added_ms), "ms") if added_ms >= 1 else "under 1 ms"


def _cores(use: CpuUse) -> str:
    return f"{figure(use.used)} of {figure(use.cores)} cores"


def _whole_percent(share: float) -> str:
    return given_percentage(round(share, 2))


def _amount(rise: Rise, value: float) -> str:
    shown = size(value) if rise.column.unit is ResourceUnit.BYTES else figure(value)
    return f"{shown}/s" if rise.column.kind is ColumnKind.FLOW else shown
