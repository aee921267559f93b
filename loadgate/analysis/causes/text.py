"""Sentences about episodes and what explains them."""

from __future__ import annotations

from loadgate.analysis.causes.attribution import RULED_OUT, SATURATED, Attribution, CpuUse, Share
from loadgate.analysis.quantity_text import amount, subject
from loadgate.units import clock, count, duration, figure, given, given_percentage, milliseconds

MAX_NAMED = 4


def episode_sentence(explained: Attribution, started_s: float) -> str:
    """Return the sentences about an episode. `started_s` is the start of the run, from which its time is counted."""
    episode = explained.episode
    since, lasted = clock(episode.span.start_s - started_s), duration(episode.span.length_s)
    added = f"its mean latency rose by {milliseconds(episode.added_ms)}"
    head = f"{episode.scope} left its band at {since} for {lasted}: {added}."
    return " ".join(part for part in (head, *_explanation(explained), _not_the_cause(explained)) if part)


def _explanation(explained: Attribution) -> list[str]:
    if (use := explained.starved) is not None:
        threads = f"in each second, its threads waited {figure(use.waited)} s and ran {figure(use.used)} s"
        return [f"Meanwhile, {use.resource} waited for a CPU: {threads}."]
    if (cause := explained.cause) is not None:
        part = f"{milliseconds(cause.added_ms)} ({_whole_percent(cause.share)})"
        return [f"Of this, {part} was spent {cause.wait.words}{_held(cause)}."]
    if (use := explained.saturated) is not None:
        return [
            f"Meanwhile, the CPU of {use.resource} was saturated: {_cores(use)} in use, {figure(use.base)} before.",
            "No measured wait explains the rise.",
        ]
    return ["Nothing measured explains this.", _partly(explained), _rose(explained)]


def _held(share: Share) -> str:
    if share.held is None or not share.limit:
        return ""
    return f" ({count(round(share.held))} of {count(round(share.limit))} in use)"


def _partly(explained: Attribution) -> str:
    some = [share for share in explained.shares if share.share >= RULED_OUT]
    shown = ", ".join(f"{share.wait.words} ({_whole_percent(share.share)})" for share in some)
    return f"Only a part was spent {shown}." if some else ""


def _rose(explained: Attribution) -> str:
    shown = ", ".join(
        f"{subject(rise.column)} ({amount(rise.column, rise.value)} instead of {amount(rise.column, rise.base)})"
        for rise in explained.rises
    )
    return f"Higher at the same time, which does not show a cause: {shown}." if shown else ""


def _not_the_cause(explained: Attribution) -> str:
    # A CPU that was as busy in the base is neither named nor ruled out.
    uses = [use for use in explained.cpu if use.utilisation < SATURATED and not use.is_starved]
    shown = [f"CPU of {use.resource} ({_whole_percent(use.utilisation)} used)" for use in uses]
    if explained.starved is None:
        shares = explained.ruled_out[:MAX_NAMED]
        shown += [f"{share.wait.words} ({given(round(share.added_ms), 'ms')})" for share in shares if _is_shown(share)]
        short = [share.wait.words for share in shares if not _is_shown(share)]
        shown += [f"{', '.join(short)} (under 1 ms{' each' if len(short) > 1 else ''})"] if short else []
    return f"Not the cause: {', '.join(shown)}." if shown else ""


def _is_shown(share: Share) -> bool:
    return share.added_ms >= 1


def _cores(use: CpuUse) -> str:
    return f"{figure(use.used)} of {figure(use.cores)} cores"


def _whole_percent(share: float) -> str:
    return given_percentage(round(share, 2))
