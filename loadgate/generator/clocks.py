"""How far the clocks of workers are from their master's, and reports in the master's time.

The master sends its time to each worker every second, and the worker sends it back with its own. Half of the round
trip is the estimate of the way; the answer with the shortest round trip counts (Cristian, Probabilistic clock
synchronization, 1989). The error is at most half of that round trip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadgate.recorder.packed import iter_slots, pack, unpack
from loadgate.units import duration

NOTABLE_S = 1.0
"""A smaller skew moves no request by more than one second of a window, and is not mentioned."""


@dataclass(slots=True)
class WorkerClocks:
    """The skew of each worker's clock in seconds: positive where the worker is behind its master."""

    _best: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By worker: (shortest round trip, skew), both in seconds."""

    def learn(self, worker: str, *, sent_s: float, worker_s: float, received_s: float) -> None:
        """Take in an answer: when the master asked, what the worker's clock said, when the answer was there."""
        round_trip_s = received_s - sent_s
        if round_trip_s >= 0 and round_trip_s <= self._best.get(worker, (round_trip_s, 0.0))[0]:
            self._best[worker] = round_trip_s, (sent_s + received_s) / 2 - worker_s

    def assume(self, worker: str, *, worker_s: float, received_s: float) -> None:
        """Take the time of a report for the worker's until an answer of its has come; the way counts as nothing."""
        self._best.setdefault(worker, (math.inf, received_s - worker_s))

    def shift_s(self, worker: str) -> int:
        """Return by how many whole seconds the worker's times have to be moved; 0 while that is not known."""
        return round(self._best.get(worker, (0.0, 0.0))[1])

    def remarks(self) -> list[str]:
        """Return a sentence for each worker whose clock is notably off."""
        return [
            f"the clock of worker {worker} was {duration(abs(skew_s))} {'behind' if skew_s > 0 else 'ahead of'} the "
            "master's; its requests count in the master's time"
            for worker, (_, skew_s) in sorted(self._best.items())
            if abs(skew_s) >= NOTABLE_S
        ]


def moved(delta: Mapping[str, Any], by_s: int) -> dict[str, Any]:
    """Return what `Recorder.take_delta` gave with all its times moved by whole seconds."""
    return {
        **delta,
        "series": [
            {
                **row,
                "cells": pack(
                    [slot._replace(start_s=slot.start_s + by_s) for slot in iter_slots(unpack(row["cells"]))]
                ),
            }
            for row in delta["series"]
        ],
        "errors": [
            [name, text, count, first_s + by_s, last_s + by_s, [_moved_request(row, by_s) for row in examples]]
            for name, text, count, first_s, last_s, examples in delta["errors"]
        ],
        "slowest": [_moved_request(row, by_s) for row in delta["slowest"]],
    }


def _moved_request(row: list[Any], by_s: int) -> list[Any]:
    group, name, start_s, *rest = row
    return [group, name, start_s + by_s, *rest]
