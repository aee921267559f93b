"""Collect the medians of workers, and name the workers whose latencies are far from those of the others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadgate.analysis.worker_medians import MIN_REQUESTS, WINDOW_S, MedianTally, compare_window
from loadgate.units import quantity

MAX_NAMES = 20
"""Number of request names of which a worker reports medians: its most frequent ones."""
MAX_TALLIED_NAMES = 200
OPEN_WINDOWS = 3
"""A window is compared when reports of a window arrive that is this much later."""


@dataclass(slots=True)
class _Sum:
    """The reports of one worker on one kind of request within a window."""

    requests: int = 0
    weighted_ln: float = 0.0

    def add(self, requests: int, median_ms: float) -> None:
        self.requests += requests
        self.weighted_ln += requests * math.log(median_ms)

    @property
    def median_ms(self) -> float:
        return math.exp(self.weighted_ln / self.requests)


_Window = defaultdict[str, defaultdict[str, _Sum]]
_Tallies = dict[str, dict[str, MedianTally]]
"""Both are by request name and worker."""


def _new_window() -> _Window:
    return defaultdict(lambda: defaultdict(_Sum))


@dataclass(slots=True)
class WorkerMedians:
    """The medians of all workers of a run. Its size does not depend on the length of the run."""

    _open: dict[int, _Window] = field(default_factory=dict)
    _tallies: _Tallies = field(default_factory=dict)

    def add(self, worker: str, at_s: float, rows: Iterable[Sequence[Any]]) -> None:
        """Add a report: (name, number of successful requests, their median in ms) of the seconds before `at_s`."""
        number = int(at_s // WINDOW_S)
        if self._open and number < min(self._open):
            return  # its window has been compared
        for name, requests, median_ms in rows:
            if requests > 0 and median_ms > 0:
                self._open.setdefault(number, _new_window())[name][worker].add(requests, median_ms)
        for old in [each for each in self._open if each <= max(self._open) - OPEN_WINDOWS]:
            _compare(self._open.pop(old), self._tallies)

    def notes(self) -> list[str]:
        """Return a sentence for each worker that is far from the others so far."""
        tallies = {name: dict(by_worker) for name, by_worker in self._tallies.items()}
        for _, window in sorted(self._open.items()):
            _compare(window, tallies)
        workers = sorted({worker for by_worker in tallies.values() for worker in by_worker})
        return [note for worker in workers if (note := _note(worker, tallies))]


def _compare(window: _Window, tallies: _Tallies) -> None:
    """Add a window to the tallies."""
    for name, sums in window.items():
        medians = {worker: each.median_ms for worker, each in sums.items() if each.requests >= MIN_REQUESTS}
        if name in tallies or len(tallies) < MAX_TALLIED_NAMES:
            tallies[name] = compare_window(medians, tallies.get(name, {}))


def _note(worker: str, tallies: _Tallies) -> str:
    compared = {name: by_worker[worker] for name, by_worker in tallies.items() if worker in by_worker}
    slower = {name: tally for name, tally in compared.items() if tally.is_slower}
    # If other workers are slower than this one, they are named instead.
    faster = {
        name: tally
        for name, tally in compared.items()
        if tally.is_faster and not any(other.is_slower for other in tallies[name].values())
    }
    far, word = (slower, "slower") if slower else (faster, "faster")
    windows = sum(tally.windows for tally in compared.values())
    if not far or 2 * sum(tally.windows for tally in far.values()) < windows:
        return ""
    name, tally = max(far.items(), key=lambda item: item[1].windows)
    own, others = quantity(tally.own_ms, "ms"), quantity(tally.others_ms, "ms")
    return (
        f"worker {worker} was {word} than the other workers: in windows of {WINDOW_S} s, its p50 of {name!r} was {own} "
        f"on average, and that of the others {others}; compare the load and the network of their machines"
    )
