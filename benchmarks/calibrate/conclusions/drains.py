"""Simulated recoveries: after a rush, requests take an added time that decays exponentially."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist

from loadgate.analysis.recovery.recovery import Recovery, recovery
from loadgate.analysis.traffic import Traffic
from loadgate.recorder import FinishedRequest, Outcome, Recorder

START_S = 1_700_000_000
BEFORE_S, RUSH_S = 60, 30
RATE_PER_S = 100
BASE_MS, SIGMA = 100.0, 0.05
PEAK_MS = 100.0


@dataclass(frozen=True, slots=True)
class DrainCase:
    """A time constant in seconds, 0 for a rush that slows nothing, and how long the run observes the time after."""

    tau_s: float
    after_s: int = 90

    def __str__(self) -> str:
        if not self.tau_s:
            return "the rush slows nothing"
        return f"tau {self.tau_s:g} s" if math.isfinite(self.tau_s) else "never"

    def added_ms(self, after_s: float) -> float:
        """The time that is added to a request, so many seconds after the end of the rush."""
        if not self.tau_s or after_s < -RUSH_S:
            return 0.0
        return PEAK_MS * math.exp(-max(0.0, after_s) / self.tau_s)

    def true_s(self, limit_ms: float) -> float | None:
        """The moment at which the p95 falls to a limit; None if it is later than the end."""
        if not self.tau_s:
            return 0.0
        p95_ms = BASE_MS * math.exp(SIGMA * NormalDist().inv_cdf(0.95))
        true_s = self.tau_s * math.log(PEAK_MS / (limit_ms - p95_ms))
        return true_s if true_s < self.after_s else None


CASES = (DrainCase(0.0), DrainCase(5.0), DrainCase(20.0), DrainCase(60.0, after_s=240), DrainCase(math.inf))


def simulate(case: DrainCase, seed: int) -> Recovery:
    """Return what the load gate finds in one run."""
    rnd = random.Random(seed)  # noqa: S311 - the same run for the same seed
    recorder = Recorder()
    length_s, at_s = BEFORE_S + RUSH_S + case.after_s, 0.0
    while (at_s := at_s + rnd.expovariate(RATE_PER_S)) < length_s:
        latency_ms = BASE_MS * rnd.lognormvariate(0.0, SIGMA) + case.added_ms(at_s - BEFORE_S - RUSH_S)
        recorder.record(FinishedRequest("answer", Outcome.SUCCESS, START_S + at_s, latency_ms))
    stages = [(START_S, "before"), (START_S + BEFORE_S, "rush"), (START_S + BEFORE_S + RUSH_S, "after")]
    traffic = Traffic("overall", recorder.time_slots(), in_flight=recorder.in_flight())
    return recovery(traffic, stages, "rush", START_S + length_s)


def is_right(case: DrainCase, found: Recovery) -> bool:
    """Whether a recovery time is within one window of the truth, and exactly 0 if the rush slows nothing."""
    true_s = case.true_s(found.band.limit_ms) if found.band is not None else None
    if found.time_s is None or true_s is None:
        return found.time_s is None and true_s is None
    return abs(found.time_s - true_s) <= (found.window_s if true_s else 0)
