"""Measure the clock skew between the workers and their master, and convert reports to the master's time.

Every second the master sends its time to each worker, and the worker returns it with its own time. The message is
assumed to take half of the round trip, and the reply with the shortest round trip counts (Cristian, Probabilistic clock
synchronization, 1989). The error is at most half of that round trip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from loadgate.units import duration

MIN_REPORTED_SKEW_S = 1.0
"""A smaller skew is not reported, because it shifts the times of a request by at most one second."""


@dataclass(slots=True)
class WorkerClocks:
    """The clock skew of each worker in seconds, positive if the worker's clock is behind."""

    _best: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By worker: (shortest round trip, skew), both in seconds."""

    def learn(self, worker: str, *, sent_s: float, worker_s: float, received_s: float) -> None:
        """Process a worker's reply. `sent_s` and `received_s` are times of the master, `worker_s` of the worker."""
        round_trip_s = received_s - sent_s
        if round_trip_s >= 0 and round_trip_s <= self._best.get(worker, (round_trip_s, 0.0))[0]:
            self._best[worker] = round_trip_s, (sent_s + received_s) / 2 - worker_s

    def assume(self, worker: str, *, worker_s: float, received_s: float) -> None:
        """Estimate the skew from a report until the worker's first reply arrives. The travel time is ignored."""
        self._best.setdefault(worker, (math.inf, received_s - worker_s))

    def shift_s(self, worker: str) -> int:
        """Return the whole seconds to add to the worker's times. 0 if the skew is unknown."""
        return round(self._best.get(worker, (0.0, 0.0))[1])

    def remarks(self) -> list[str]:
        """Return a sentence for each worker whose clock skew is at least MIN_REPORTED_SKEW_S."""
        return [
            f"the clock of worker {worker} was {duration(abs(skew_s))} {'behind' if skew_s > 0 else 'ahead of'} the "
            "master's; the times of its requests are converted to the master's"
            for worker, (_, skew_s) in sorted(self._best.items())
            if abs(skew_s) >= MIN_REPORTED_SKEW_S
        ]
