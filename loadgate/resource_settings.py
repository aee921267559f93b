"""The settings of the target's resources: `[[tool.loadgate.resource]]` in pyproject.toml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from loadgate.metric_selector import SelectorError, parse_selector
from loadgate.regular_expression import regular_expression
from loadgate.resource_names import MACHINE

PROCESS_QUANTITIES = ("memory", "pss", "cpu", "threads", "open_files", "cgroup_memory", "cpu_throttled", "cpu_wait")
"""The quantities of a resource of kind `process`."""

MAX_HOSTS = 100

_Text = Annotated[str, StringConstraints(min_length=1)]
RegularExpression = Annotated[_Text, AfterValidator(lambda text: regular_expression(text).pattern)]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=60)]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Line = Annotated[str, StringConstraints(pattern=r"^\P{Cc}+$", max_length=200)]
"""A text without control characters."""


class _Resource(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name


class ProcessResource(_Resource):
    """A part of the target that consists of processes on this machine, and of the processes that they start.

    At most one of `command`, `port` and `pid_file` is set. Without them, the part is the whole target.
    """

    kind: Literal["process"]
    command: RegularExpression | None = None
    """A regular expression that is searched in the command lines of the target's process tree."""
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """The TCP port on which the process listens."""
    pid_file: _Text | None = None
    """A file with the process id."""
    serves: bool = False
    """Whether it serves the requests, which then wait while it waits for a CPU core. By default, the first does."""
    cores: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The number of CPU cores that it can use, if it cannot use all. A Python process with one event loop can use 1."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """Return the measured quantities."""
        return PROCESS_QUANTITIES

    @model_validator(mode="after")
    def _one_way_to_find_it(self) -> ProcessResource:
        if sum(way is not None for way in (self.command, self.port, self.pid_file)) > 1:
            raise ValueError("give only one of command, port and pid_file")
        return self


class PrometheusResource(_Resource):
    """A quantity that the target exposes in Prometheus' text format.

    Selectors are metric names with optional matchers (`pool{state="used"}`). The samples that match are summed.
    """

    kind: Literal["prometheus"]
    quantity: _Name
    url: _Text = "/metrics"
    """A path of the host under test, or a whole URL."""
    used: _Text | None = None
    """The selector of a gauge."""
    limit: _Text | None = None
    """The selector of the gauge's limit."""
    wait: _Text | None = None
    """The selector of a histogram or summary in seconds, without `_sum` and `_count`."""
    waiting_for: _Line | None = None
    """What a request waits for in `wait`, in a sentence: `a database connection`."""
    inside: _Text | None = None
    """The wait that includes this one, as `resource quantity`."""
    is_lag: bool = False
    """Whether `wait` is the lag of an event loop. Such a lag delays everything that the loop does."""
    rate: _Text | None = None
    """The selector of a counter."""
    unit: Literal["bytes", "s", "count"] = "count"
    optional: bool = False
    """Whether the metrics need not contain it, such as a pool that only some databases have. No note says so then."""
    bearer: _Variable | None = None
    """The environment variable that contains the token for a protected URL."""
    bearer_hosts: Annotated[tuple[_Text, ...], Field(max_length=MAX_HOSTS)] = ()
    """Further hosts under test that get the token. A path is read with it from the managed target and from the `host`
    of the project only."""

    @property
    def wait_quantity(self) -> str:
        """Return the quantity of the wait: `wait` beside another quantity, or else the quantity of the entry."""
        return self.quantity if self.used is None and self.rate is None else "wait"

    @property
    def quantities(self) -> tuple[str, ...]:
        """Return the measured quantities."""
        own = (self.quantity,) if self.used is not None or self.rate is not None else ()
        return (*own, *((self.wait_quantity,) if self.wait is not None else ()))

    @model_validator(mode="after")
    def _complete(self) -> PrometheusResource:
        if self.used is None and self.wait is None and self.rate is None:
            raise ValueError("give at least one of used, wait and rate")
        if self.used is not None and self.rate is not None:
            raise ValueError("give only one of used and rate")
        if self.limit is not None and self.used is None:
            raise ValueError("limit needs used")
        if not re.fullmatch(r"[!-~]+", self.url):
            raise ValueError("url contains a space or another character that must be percent-encoded")
        if not self.url.startswith("/") and not _is_address(self.url):
            raise ValueError("url must be a path such as /metrics, or an http:// or https:// address")
        for field in ("used", "limit", "wait", "rate"):
            try:
                parse_selector(getattr(self, field) or "x")
            except SelectorError as error:
                raise ValueError(f"{field}: {error}") from error
        return self

    @model_validator(mode="after")
    def _token_has_hosts(self) -> PrometheusResource:
        if self.bearer_hosts and self.bearer is None:
            raise ValueError("bearer_hosts needs bearer")
        if not all(map(_is_address, self.bearer_hosts)):
            raise ValueError("bearer_hosts must be http:// or https:// addresses")
        return self


def _is_address(url: str) -> bool:
    """Return whether a URL has a server. A port that is no number raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0


ResourceSettings = Annotated[ProcessResource | PrometheusResource, Field(discriminator="kind")]

RESOURCE_KINDS = ("process", "prometheus")

MAX_RESOURCES = 100
"""Each URL is read by a thread of its own, and each entry adds up to 10 columns."""


def resource_problem(resources: Sequence[ProcessResource | PrometheusResource]) -> str | None:
    """Return why these entries do not belong together. `None` if they do."""
    known: set[tuple[str, str]] = set()
    for resource in resources:
        if resource.name == MACHINE:
            return f"the name {MACHINE!r} is reserved for the machine of the target"
        for quantity in resource.quantities:
            if (resource.name, quantity) in known:
                return f"two entries measure {quantity!r} of {resource.name!r}; give one of them another name"
            known.add((resource.name, quantity))
    metrics = [resource for resource in resources if isinstance(resource, PrometheusResource)]
    waits = {f"{metric.name} {metric.wait_quantity}" for metric in metrics if metric.wait is not None}
    for metric in metrics:
        if metric.inside is not None and metric.inside not in waits - {f"{metric.name} {metric.wait_quantity}"}:
            return f"inside of {metric.name!r} must name the wait of another entry, not {metric.inside!r}"
    return None
