"""How the stub server answers: each request's intended time and status, from a known distribution. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loadgate.recorder import Outcome

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
    """A name, a description, and how the answers come: an endless iterator, the same for the same seed."""

    name: str
    description: str
    answers: Callable[[random.Random], Iterator[Answer]]
    freeze: Freeze | None = None

    def stream(self) -> Iterator[Answer]:
        return self.answers(random.Random(SEED))  # noqa: S311 - the same answers each time


def _constant(_: random.Random) -> Iterator[Answer]:
    while True:
        yield Answer(50.0)


def _lognormal(rnd: random.Random) -> Iterator[Answer]:
    # Median 33 ms, p99 135 ms, p99.9 215 ms.
    while True:
        yield Answer(rnd.lognormvariate(3.5, 0.6))


def _bimodal(rnd: random.Random) -> Iterator[Answer]:
    # One of each hundred, at a place by chance. One more at the start keeps the p99 off the border between the two
    # modes, where it would be an extreme of either.
    yield Answer(400.0)
    while True:
        stalled = rnd.randrange(100)
        for place in range(100):
            yield Answer(400.0 if place == stalled else 20.0)


def _freezing(_: random.Random) -> Iterator[Answer]:
    while True:
        yield Answer(20.0)


def _failing(rnd: random.Random) -> Iterator[Answer]:
    while True:
        failed = rnd.randrange(50)
        for place in range(50):
            yield Answer(1.0, Outcome.FAILURE) if place == failed else Answer(30.0)


DISTRIBUTIONS = {
    distribution.name: distribution
    for distribution in (
        Distribution("constant", "50 ms", _constant),
        Distribution("lognormal", "median 33 ms, sigma 0.6", _lognormal),
        Distribution("bimodal", "20 ms, 1 % stalls of 400 ms", _bimodal),
        Distribution("freeze", "20 ms, once 2 s without an answer", _freezing, Freeze(2.5, 2.0)),
        Distribution("errors", "30 ms, 2 % errors after 1 ms", _failing),
    )
}
