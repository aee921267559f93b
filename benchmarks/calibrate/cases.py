"""The cases of the calibration: each distribution with each load model and number of processes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from benchmarks.calibrate.answers import BASE_MS, DISTRIBUTIONS, Distribution

PAUSE_S = (0.1, 0.3)
"""A user's pause between an answer and its next request. By chance, so that users do not stay in step: those who send
in the same moment are served one after the other by the generator, which is a load of its own kind."""

INTERVAL_S = sum(PAUSE_S) / 2 + BASE_MS / 1000
"""The interval at which one user means to send, where answers take BASE_MS."""


class Model(StrEnum):
    """Who decides when a request is sent."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Load:
    """About `rate_per_s` requests per second for `seconds`: by the clock in an open model, else by so many users."""

    rate_per_s: int = 120
    seconds: int = 45

    @property
    def closed_users(self) -> int:
        return round(self.rate_per_s * INTERVAL_S)

    @property
    def open_users(self) -> int:
        """Enough that one is free for each arrival, through the freeze as well."""
        return round(self.rate_per_s * 2.5)


FULL_LOAD = Load()


@dataclass(frozen=True, slots=True)
class Case:
    """One run of loadgate against the stub server."""

    distribution: Distribution
    model: Model
    processes: int

    def options(self, load: Load) -> list[str]:
        """Locust's command line for it, without the locustfile and the host."""
        options = ["-t", f"{load.seconds}s"]
        if self.model is Model.OPEN:
            options += ["--rate", f"{load.rate_per_s}/s", "-u", str(load.open_users)]
        else:
            options += ["-u", str(load.closed_users), "-r", str(load.closed_users)]
        return options if self.processes == 1 else [*options, "--processes", str(self.processes)]

    def __str__(self) -> str:
        return f"{self.distribution.name}, {self.model}, {self.processes}"


CASES = [
    Case(distribution, model, processes)
    for model in Model
    for processes in (1, 2)
    for distribution in DISTRIBUTIONS.values()
]
CASES += [Case(DISTRIBUTIONS["lognormal"], model, 4) for model in Model]
