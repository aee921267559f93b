"""Estimate the offset between two clocks from exchanged messages, its drift and its jumps.

The offset comes from the four times of an exchange, as in NTP (RFC 5905, section 8): the time at which a message was
sent and the time at which its answer arrived, by one clock, and the times between, by the other. If both messages take
equally long, the offset is exact. Otherwise its error is at most half of the round trip. Of several exchanges, the one
with the shortest round trip counts (D. Mills, IEEE Transactions on Communications 39, 1991), because queues only add to
it.

All times and durations are in seconds. An offset is added to a time of the first clock to get the time of the second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

MAX_DRIFT = 200e-6
"""The rate by which the error of an offset grows with its age. RFC 5905 assumes 15e-6 for clocks without a defect."""

JUMP_S = 0.05
"""An offset that changes by more than this, in addition to all errors, has jumped: a clock has been set."""

MAX_KEPT = 6
"""Number of kept estimates."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message and its answer. `sent_s` and `returned_s` are by the first clock, the others by the second."""

    sent_s: float
    received_s: float
    answered_s: float
    returned_s: float

    @property
    def round_trip_s(self) -> float:
        """Return the time that both messages took."""
        return (self.returned_s - self.sent_s) - (self.answered_s - self.received_s)

    @property
    def offset_s(self) -> float:
        """Return the offset of the second clock from the first."""
        return ((self.received_s - self.sent_s) + (self.answered_s - self.returned_s)) / 2


@dataclass(frozen=True, slots=True)
class Offset:
    """An offset at `at_s` of the first clock. The true offset differs from it by at most `error_s`."""

    at_s: float
    offset_s: float
    error_s: float

    def error_at(self, at_s: float) -> float:
        """Return the largest error of this offset at another time of the first clock."""
        return self.error_s + MAX_DRIFT * abs(at_s - self.at_s)


def best_offset(exchanges: Iterable[Exchange]) -> Offset | None:
    """Return the offset of the exchange with the shortest round trip. `None` without an exchange.

    Exchanges with a negative round trip are ignored: a clock was set back in the meantime.
    """
    valid = [item for item in exchanges if item.round_trip_s >= 0 and item.answered_s >= item.received_s]
    if not valid:
        return None
    best = min(valid, key=lambda item: item.round_trip_s)
    return Offset(best.returned_s, best.offset_s, best.round_trip_s / 2)


@dataclass(frozen=True, slots=True)
class OffsetHistory:
    """The offsets of one pair of clocks. Its size is bounded."""

    kept: tuple[Offset, ...] = ()
    """The latest offsets since the last jump, at most MAX_KEPT."""
    first: Offset | None = None
    """The first offset since the last jump."""
    jump_s: float = 0.0
    """The largest jump, with its sign. 0 without a jump."""

    def learn(self, offset: Offset) -> OffsetHistory:
        """Return the history with a later offset. After a jump, the earlier offsets are no longer used."""
        if not self.kept:
            return replace(self, kept=(offset,), first=offset)
        last = self.at(offset.at_s)
        change_s = offset.offset_s - last.offset_s
        beyond_s = abs(change_s) - offset.error_s - last.error_s
        if beyond_s > JUMP_S:
            return OffsetHistory((offset,), offset, max(self.jump_s, change_s, key=abs))
        # Clocks that drift faster than MAX_DRIFT make earlier offsets wrong.
        kept = (offset,) if beyond_s > 0 else (*self.kept, offset)[-MAX_KEPT:]
        return replace(self, kept=kept)

    def at(self, at_s: float) -> Offset:
        """Return the offset with the smallest error at `at_s`. Raises ValueError without an offset."""
        best = min(reversed(self.kept), key=lambda offset: offset.error_at(at_s))
        return Offset(at_s, best.offset_s, best.error_at(at_s))

    @property
    def least_drift(self) -> float:
        """Return the drift since the last jump in seconds per second, as near to 0 as the errors allow."""
        if self.first is None or self.kept[-1].at_s <= self.first.at_s:
            return 0.0
        last = self.kept[-1]
        change_s = last.offset_s - self.first.offset_s
        certain_s = abs(change_s) - self.first.error_s - last.error_s
        if certain_s <= 0:
            return 0.0
        return (certain_s if change_s > 0 else -certain_s) / (last.at_s - self.first.at_s)
