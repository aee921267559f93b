"""The cases of the proof of recovery times: a rush after which an added delay drains from a stub."""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadgate import LoadProfile, Stage

GROUP = "stub"
BEFORE_S, RUSH_S = 35, 10
RATE_PER_S, RUSH_PER_S, OVERLOAD_PER_S = 100, 160, 130
BASE_S, SIGMA = 0.3, 0.02
"""The service time is lognormal. It is long in relation to the delays that a busy machine adds, and varies little,
because the delay of tau 60 s falls by half a millisecond in a second where it crosses the limit of the band."""

PEAK_S = 0.3
USERS = 200
"""Enough that one is free for each arrival: the longest latencies are about 0.7 s."""


@dataclass(frozen=True, slots=True)
class DrainCase:
    """A rush, and `after_s` seconds in which the added delay drains with a time constant, or `math.inf` for never."""

    name: str
    tau_s: float
    after_s: int
    peak_s: float = PEAK_S

    def __str__(self) -> str:
        return self.name

    @property
    def profile(self) -> LoadProfile:
        """The load, in the open model."""
        return LoadProfile(
            f"{BEFORE_S}-{RUSH_S}-{self.after_s}",
            users=USERS,
            spawn_rate=50,
            stages=(
                Stage(BEFORE_S, rate=RATE_PER_S, name="before"),
                Stage(RUSH_S, rate=RUSH_PER_S, name="rush"),
                Stage(self.after_s, rate=RATE_PER_S, name="after"),
            ),
        )

    def stub_options(self, seed: int) -> list[object]:
        """The command line of the stub `draining`."""
        tau = f"{self.tau_s:g}" if math.isfinite(self.tau_s) else "never"
        options = {"tau": tau, "peak": self.peak_s, "overload": OVERLOAD_PER_S, "base": BASE_S, "sigma": SIGMA}
        return [part for name, value in (options | {"seed": seed}).items() for part in (f"--{name}", value)]


DRAIN_CASES = (
    DrainCase("the rush slows nothing", math.inf, after_s=90, peak_s=0.0),
    DrainCase("tau 5 s", 5.0, after_s=90),
    DrainCase("tau 20 s", 20.0, after_s=75),
    DrainCase("tau 60 s", 60.0, after_s=185),
    DrainCase("never", math.inf, after_s=90),
)
