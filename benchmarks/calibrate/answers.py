"""The responses of the stub server: the intended time and status of each request, from a known distribution.

Pure functions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loadgate.recorder import Outcome

BASE_MS = 100.0
"""What most requests take: where limits are usually set."""

SEED = 20_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets: after how long, and whether it is a good answer (200) or an error (503)."""

    after_ms: float
    outcome: Outcome = Outcome.SUCCESS


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nothing is answered; what falls due in it is answered at its end. Counts from request one."""

    begin_s: float
    length_s: float

    @property
    def end_s(self) -> float:
        return self.begin_s + self.length_s

    def due_s(self, due_s: float) -> float:
        """When an answer leaves that is due at `due_s`."""
        return self.end_s if self.begin_s <= due_s < self.end_s else due_s


@dataclass(frozen=True, slots=True)
class Distribution:
    """A name, and how the answers come: an endless iterator, the same for the same seed."""

    name: str
    answers: Callable[[random.Random], Iterator[Answer]]
    freeze: Freeze | None = None

    def stream(self) -> Iterator[Answer]:
        return self.answers(random.Random(SEED))  # noqa: S311 - the same answers each time


def _constant(_: random.Random) -> Iterator[Answer]:
    while True:
        yield Answer(BASE_MS)


def _lognormal(rnd: random.Random) -> Iterator[Answer]:
    while True:
        yield Answer(BASE_MS * rnd.lognormvariate(0.0, 0.6))


def _bimodal(rnd: random.Random) -> Iterator[Answer]:
    # One of each hundred, at a place by chance. One more at the start keeps the p99 off the border between the two
    # modes, where it would be the slowest of one or the fastest of the other.
    yield Answer(10 * BASE_MS)
    while True:
        stalled = rnd.randrange(100)
        for place in range(100):
            yield Answer(10 * BASE_MS if place == stalled else BASE_MS)


def _failing(rnd: random.Random) -> Iterator[Answer]:
    while True:
        failed = rnd.randrange(50)
        for place in range(50):
            yield Answer(1.0, Outcome.FAILURE) if place == failed else Answer(BASE_MS)


DISTRIBUTIONS = {
    distribution.name: distribution
    for distribution in (
        Distribution("constant", _constant),
        Distribution("lognormal", _lognormal),
        Distribution("stalls", _bimodal),
        Distribution("freeze", _constant, Freeze(2.5, 2.0)),
        Distribution("errors", _failing),
    )
}
"""`constant`: 100 ms. `lognormal`: median 100 ms, sigma 0.6. `stalls`: 100 ms, and 1 s for 1 %. `freeze`: 100 ms, and
once 2 s without any answer. `errors`: 100 ms, and 2 % errors after 1 ms."""
