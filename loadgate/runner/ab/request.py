"""The arguments of `loadgate ab`, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgate.analysis.ab.segments import Margins, Measure, Metric
from loadgate.checks import host_problem
from loadgate.credentials import without_credentials
from loadgate.errors import RequestError
from loadgate.shape.arrivals import EXAMPLES, parse_rate
from loadgate.units import compact_duration, given, given_percentage, plain

PLANNING_PAIRS = 3
"""The number of pairs from which `--plan` estimates how much the measures vary."""

MAX_SEED = 2**31


class AbError(RequestError):
    """Raised if the request for a comparison is wrong. The text is one line."""


@dataclass(frozen=True, slots=True)
class AbRequest:
    """The arguments of `loadgate ab`.

    An empty `profile` means the suite's default. Without `rate`, the profile decides. Without `seed`, it is random.
    `only_plan` measures PLANNING_PAIRS pairs, and estimates which changes the comparison would detect. `rule` is a
    measure that a rule of the profile must limit. `purpose` is a line that is printed before the plan.
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
    metric: Metric = Metric.RULES
    rule: Measure | None = None
    purpose: str = ""

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
            # The examples of the error contain a ramp, which a comparison refuses.
            raise AbError(f"--rate: {str(error).replace(EXAMPLES, 'such as 50/s or 90/min')}") from error
        if len(schedule.segments) != 1:
            raise AbError(f"--rate: {self.rate!r} is a ramp; a comparison needs a constant rate, such as 50/s")
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
            problems.append("--base-url and --head-url must be given together; add the other one, or compare commits")
        if self.base_url and (self.base or self.head):
            problems.append(
                "commits and URLs cannot be compared with each other; give BASE and HEAD, or --base-url and --head-url"
            )
        for option, url in (("--base-url", self.base_url), ("--head-url", self.head_url)):
            if url and (problem := host_problem(url)):
                problems.append(without_credentials(f"{option}: {problem}"))
        if self.base_url and self.base_url == self.head_url:
            problems.append("--base-url and --head-url are equal; give the URLs of two deployments")
        if not 0 <= self.margins.ignore < self.margins.worse:
            ignore, worse = given_percentage(self.margins.ignore), given_percentage(self.margins.worse)
            problems.append(f"--ignore ({ignore}) must be below --worse ({worse})")
        if not 0 <= self.margins.ignore_ms < float("inf"):
            problems.append(
                f"--ignore-ms {plain(self.margins.ignore_ms)}: must be 0 or a positive number of milliseconds"
            )
        if not (whole_s := self.settle_s + self.measure_s).is_integer():
            settle, measure = compact_duration(self.settle_s), compact_duration(self.measure_s)
            problems.append(
                f"--settle {settle} and --measure {measure} are {given(whole_s, 's')} together; this must be whole "
                "seconds, because Locust's run time is whole seconds"
            )
        if self.seed is not None and not 0 <= self.seed < MAX_SEED:
            problems.append(f"--seed {self.seed}: must be from 0 to {MAX_SEED - 1}")
        return problems
