"""Little's law, as a check of the measurement itself."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.units import figure, given_percentage

TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Flow:
    """The requests of a span: the time integral of those in flight, and the latencies of those that ended, in seconds.

    `at_start` and `at_end` are the requests in flight at both ends of the span. `longest_s` is the longest latency of
    the run, so none of them has been in flight for longer. In an overload, many have been for nearly as long.
    """

    in_flight_s: float
    latencies_s: float
    at_start: float
    at_end: float
    longest_s: float

    @property
    def difference(self) -> float:
        """Return how far the two are apart, as a share of the time in flight.

        By Little's law (Operations Research 9, 1961), they are equal, apart from the requests in flight at the ends:
        the time of those that had not ended, and of those that had started before (Little and Graves, Little's Law,
        2008).
        """
        edges_s = (self.at_start + self.at_end) * self.longest_s
        apart_s = abs(self.in_flight_s - self.latencies_s)
        return max(0.0, apart_s - edges_s) / self.in_flight_s if self.in_flight_s else 0.0

    @property
    def problem(self) -> str:
        """Return why the measurement cannot be used, one clause. "" if it can."""
        if self.difference <= TOLERANCE:
            return ""
        return (
            f"requests were in flight for {figure(self.in_flight_s)} s, but their latencies add up to "
            f"{figure(self.latencies_s)} s, which differs by more than {given_percentage(TOLERANCE)} (Little's law)"
        )
