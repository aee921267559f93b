"""What is measured at one arrival rate, and what a rate must keep to be sustained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count


@dataclass(frozen=True, slots=True)
class Criterion:
    """A rule as a share: less than `limit` of the requests of its scope may be bad.

    For `auth: p95 < 500ms`, these are the successful requests of auth that took more than 500 ms, and the limit is
    0.05. For `overall: failures < 1%`, these are the failed requests, and the limit is 0.01. With a limit of 0, a
    single bad request breaks the rule.
    """

    rule: str
    limit: float


@dataclass(frozen=True, slots=True)
class Second:
    """The requests of a criterion that ended in one second, and how many of them were bad."""

    requests: int
    bad: int


@dataclass(frozen=True, slots=True)
class Void:
    """Why a trial proves nothing, one clause. `by_generator`: the load generator could not make the load."""

    reason: str
    by_generator: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """The measured part of a trial. Times and rates are in seconds and per second.

    - `seconds`: by the rule of a criterion. A rule without requests has no entry, or empty seconds.
    - `arrivals`, `completions`: requests that were due in the measured time, and those that ended in it.
    - `lost`: the share of the arrivals that never started because all users were waiting for the target.
    - `in_flight`: the mean number of requests in flight in each second.
    - `ended`: how the target ended during the trial; "" if it did not.
    """

    rate_per_s: float
    length_s: float
    seconds: Mapping[str, tuple[Second, ...]] = field(default_factory=dict)
    arrivals: float = 0.0
    completions: float = 0.0
    lost: float = 0.0
    in_flight: tuple[float, ...] = ()
    void: Void | None = None
    ended: str = ""

    @property
    def completion(self) -> float:
        """Return completions ÷ arrivals, where arrivals that never started count as not completed."""
        return self.completions / self.arrivals * (1 - self.lost) if self.arrivals else 0.0

    @property
    def early_share(self) -> float:
        """Return the share of the bad requests that ended in the first half, of the rule with the largest share."""
        shares = [0.0]
        for seconds in self.seconds.values():
            bad = [second.bad for second in seconds]
            shares.append(sum(bad[: len(bad) // 2]) / max(1, sum(bad)))
        return max(shares)

    @property
    def throughput_per_s(self) -> float:
        """Return the rate of arrivals that the target completed."""
        return self.rate_per_s * self.completion


@dataclass(frozen=True, slots=True)
class Fraction:
    """The requests of a criterion in all trials of a rate, second by second."""

    seconds: tuple[tuple[int, Second], ...]

    @classmethod
    def of(cls, trials: tuple[Trial, ...], rule: str, widest_s: int) -> Fraction:
        """Return the seconds of trials one after the other. Each trial starts with a new batch of `widest_s`."""
        found: list[tuple[int, Second]] = []
        for trial in trials:
            first = -(-(found[-1][0] + 1) // widest_s) * widest_s if found else 0
            found += zip(count(first), trial.seconds.get(rule, ()), strict=False)
        return cls(tuple(found))

    @property
    def requests(self) -> int:
        """Return the number of requests."""
        return sum(second.requests for _, second in self.seconds)

    @property
    def bad(self) -> int:
        """Return the number of bad requests."""
        return sum(second.bad for _, second in self.seconds)
