"""The arguments of `loadgate ab`, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgate.analysis.ab.segments import Margins
from loadgate.checks import host_problem
from loadgate.credentials import without_credentials
from loadgate.errors import RequestError
from loadgate.shape.arrivals import parse_rate
from loadgate.units import count

PLANNING_PAIRS = 3
"""Pairs that show how much the measures vary, for an answer about the plan."""

MAX_SEED = 2**31


class AbError(RequestError):
    """Raised if the request for a comparison is wrong. The text is one line."""


@dataclass(frozen=True, slots=True)
class AbRequest:
    """The arguments of `loadgate ab`.

    An empty `profile` means the suite's default. Without `rate`, the profile decides. Without `seed`, it is random.
    `only_plan` measures PLANNING_PAIRS pairs, and says what the plan would find.
    """

    base: str | None = None
    head: str | None = None
    base_url: str | None = None
    head_url: str | None = None
    profile: str = ""
    rate: str | None = None
    pairs: int = 10
    measure_s: float = 20.0
    settle_s: float = 5.0
    margins: Margins = field(default_factory=Margins)
    only_plan: bool = False
    seed: int | None = None
    locustfile: str | None = None

    @property
    def urls(self) -> tuple[str, str] | None:
        """Return the URLs of two deployments. None if commits are compared."""
        return (self.base_url, self.head_url) if self.base_url and self.head_url else None

    @property
    def looks(self) -> tuple[int, int]:
        """Return after how many pairs the comparison is decided."""
        return self.pairs, 2 * self.pairs

    @property
    def rate_per_s(self) -> float | None:
        """Return the given rate in arrivals per second.

        Raises:
            AbError: It cannot be read, or it changes.
        """
        if self.rate is None:
            return None
        try:
            schedule = parse_rate(self.rate)
        except ValueError as error:
            raise AbError(f"--rate: {error}") from error
        if len(schedule.segments) != 1:
            raise AbError(f"--rate: a comparison needs one rate, such as 50/s; {self.rate!r} is a ramp")
        return schedule.peak_rate

    def check(self) -> None:
        """Check everything that needs no suite and no repository.

        Raises:
            AbError: An argument is wrong.
        """
        if problem := next(iter(self._problems()), None):
            raise AbError(problem)
        _ = self.rate_per_s

    def _problems(self) -> Sequence[str]:
        problems = []
        if bool(self.base_url) != bool(self.head_url):
            problems.append("--base-url and --head-url belong together; give both, or compare commits")
        if self.base_url and (self.base or self.head):
            problems.append("give two commits or two URLs, not both")
        for option, url in (("--base-url", self.base_url), ("--head-url", self.head_url)):
            if url and (problem := host_problem(url)):
                problems.append(without_credentials(f"{option}: {problem}"))
        if self.base_url and self.base_url == self.head_url:
            problems.append("--base-url and --head-url are the same deployment")
        if not 0 <= self.margins.ignore < self.margins.worse:
            problems.append("--ignore must be below --worse")
        if not 0 <= self.margins.ignore_ms < float("inf"):
            problems.append("--ignore-ms must be a number of milliseconds that is not negative")
        if not (self.settle_s + self.measure_s).is_integer():
            problems.append("--settle and --measure together must be whole seconds, because Locust has no shorter runs")
        if self.seed is not None and not 0 <= self.seed < MAX_SEED:
            problems.append(f"--seed: must be from 0 to {count(MAX_SEED - 1)}")
        return problems
