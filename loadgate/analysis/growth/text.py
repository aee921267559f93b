"""Sentences about the growth of resources. Sizes are in MB of 10^6 bytes, as in rules."""

from __future__ import annotations

from loadgate import units
from loadgate.analysis.growth.growth import Growth
from loadgate.analysis.growth.kind import Cause, GrowthKind
from loadgate.analysis.growth.lifetime import Lifetime
from loadgate.analysis.quantity_text import FORMATS
from loadgate.recorder.resources import ColumnKind, ResourceUnit

_CAUSES = {
    Cause.PYTHON: "The Python blocks grew as well, so Python code keeps objects",
    Cause.NATIVE: (
        "The heap in use grew and the Python blocks did not, so native code or large Python objects such as bytes "
        "keep the memory"
    ),
    Cause.RETAINED: (
        "Neither the heap in use nor the Python blocks grew, so the allocator keeps freed memory, "
        "or the memory is outside the heap, such as the stacks of threads"
    ),
    Cause.UNCLEAR: "The heap in use and the Python blocks vary too much to show what keeps the memory",
}


def growth_sentence(
    subject: str, growth: Growth, *, requests: int | None = None, lifetime: Lifetime | None = None
) -> str:
    """Return the sentence about a growth. `requests` is the number of requests served in its span.

    Its verbs are in the past tense, so that they agree with a singular and with a plural subject.
    """
    shown = units.growth(growth.per_s, (growth.low_per_s, growth.high_per_s), of_bytes=_of_bytes(growth))
    if growth.low_per_s <= 0 <= growth.high_per_s:
        return f"{subject} showed no clear growth: {shown}; {sensitivity(growth)}."
    parts = [f"{subject} {'grew' if growth.per_s > 0 else 'changed'} by {shown}"]
    if requests and growth.per_s > 0:
        parts.append(f", {per_request(growth, requests)} per request")
    if lifetime and lifetime.seconds > 0:
        parts.append(f"; {lifetime_text(lifetime, growth.unit)}")
    return "".join(parts) + "."


def per_request(growth: Growth, requests: int) -> str:
    """Return the growth for each of at least one request that was served in its span."""
    share = growth.increase / requests
    return units.size(share) if _of_bytes(growth) else units.figure(share)


def lifetime_text(lifetime: Lifetime, unit: ResourceUnit) -> str:
    """Return the clause that says when a limit will be reached."""
    limit = f"the limit of {amount(lifetime.limit, unit)}"
    if lifetime.low_s == float("inf"):
        return f"{limit} will not be reached"
    bounds = f"[{units.outlook(lifetime.low_s)}, {units.outlook(lifetime.high_s)}]"
    return f"{limit} will be reached in {units.outlook(lifetime.seconds)} {bounds}"


def kind_sentence(kind: GrowthKind) -> str:
    """Return the sentence about the kind of a growth of memory."""
    if kind.cause is Cause.LEVELS_OFF:
        rise = "" if kind.size_bytes is None else f" after a rise of {units.size(kind.size_bytes)}"
        return f"The memory levelled off{rise}, like a cache or a warm-up."
    if kind.cause is Cause.UNKNOWN:
        was = "was" if len(kind.missing) == 1 else "were"
        return f"What keeps the memory is unknown, because {' and '.join(kind.missing)} {was} not measured."
    return f"{_CAUSES[kind.cause]}."


def kind_clause(kind: GrowthKind) -> str:
    """Return the sentence about the kind of a growth as a clause of a longer sentence."""
    sentence = kind_sentence(kind)
    return sentence[:1].lower() + sentence[1:].removesuffix(".")


def sensitivity(growth: Growth) -> str:
    """Return the clause that states the smallest growth that the time after the ramp could show."""
    visible = units.growth(growth.visible_per_s, of_bytes=_of_bytes(growth))
    return f"the {units.duration(round(growth.span_s))} after the ramp cannot show a leak under {visible}"


def too_small(growth: Growth) -> str:
    """Return the clause that says that a growth is below the minimum."""
    found, least = amount(growth.increase, growth.unit), amount(growth.minimum, growth.unit)
    return f"a growth of {found} in the run is too small to be judged; the minimum is {least}"


def steps(growth: Growth, *, one: bool) -> str:
    """Return the clause that says that one step or a few steps are most of the growth."""
    if one:
        return f"one step of {amount(growth.largest_steps[0], growth.unit)} is most of the growth"
    return f"a few steps of up to {amount(growth.largest_steps[0], growth.unit)} are most of the growth"


def amount(value: float, unit: ResourceUnit) -> str:
    """Return an amount of a quantity."""
    return FORMATS[ColumnKind.LEVEL, unit](value)


def _of_bytes(growth: Growth) -> bool:
    return growth.unit is ResourceUnit.BYTES
