"""The configuration of the sampler, which it gets as one JSON line on its standard input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class ProcessSource:
    """A resource that consists of processes. Without `command`, `port` and `pid_file`, it is the whole target."""

    resource: str
    command: str | None = None
    port: int | None = None
    pid_file: str | None = None


@dataclass(frozen=True, slots=True)
class MetricSource:
    """A quantity of a resource in the metrics at `url`. `used`, `limit`, `wait` and `rate` are selectors."""

    resource: str
    quantity: str
    url: str
    wait_quantity: str = ""
    used: str | None = None
    limit: str | None = None
    wait: str | None = None
    rate: str | None = None
    unit: str = "count"
    bearer: str | None = None
    """The environment variable that contains the token."""
    optional: bool = False
    """Whether there is no note if the metrics do not contain it."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the sampler measures.

    The target's process is `pid`, or else the process that listens on `port`. If both are `None`, the target is not on
    this machine, and `processes` is empty.
    """

    pid: int | None = None
    port: int | None = None
    processes: tuple[ProcessSource, ...] = ()
    metrics: tuple[MetricSource, ...] = ()
    collect: str | None = None
    """The URL that makes the target collect garbage."""

    def to_json(self) -> str:
        """Return the JSON form, which is one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """Return the configuration that `to_json` converted."""
        data = json.loads(text)
        data["processes"] = tuple(ProcessSource(**source) for source in data["processes"])
        data["metrics"] = tuple(MetricSource(**source) for source in data["metrics"])
        return cls(**data)
