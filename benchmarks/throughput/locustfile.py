"""One user class of the three that are compared, named by GENERATOR; prints requests and CPU seconds at the end.

Only with BaseUser is loadgate installed: what it costs to record a request is part of the comparison.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from locust import FastHttpUser, HttpUser, User, constant, events, task
from locust.env import Environment

from loadgate import LoadProfile, install
from loadgate.users import BaseUser


class Base(BaseUser):
    """Asks without a pause."""

    wait_time = constant(0)

    @task
    def ask(self) -> None:
        self.client.get("/fast")


class Fast(FastHttpUser):
    """Asks without a pause."""

    wait_time = constant(0)

    @task
    def ask(self) -> None:
        self.client.get("/fast")


class Plain(HttpUser):
    """Asks without a pause."""

    wait_time = constant(0)

    @task
    def ask(self) -> None:
        self.client.get("/fast")


_CLASSES: dict[str, type[User]] = {"BaseUser": Base, "FastHttpUser": Fast, "HttpUser": Plain}
chosen = _CLASSES[os.environ["GENERATOR"]]
del Base, Fast, Plain  # Locust runs every class that it finds in a locustfile
_began: tuple[int, float] = (0, 0.0)


def _so_far(environment: Environment) -> tuple[int, float]:
    return environment.stats.total.num_requests, time.process_time()


@events.init.add_listener
def on_init(environment: Environment, **_: Any) -> None:
    def begin(**_: Any) -> None:
        global _began  # noqa: PLW0603 - a locustfile's listeners share nothing else
        _began = _so_far(environment)

    def end(**_: Any) -> None:
        requests, cpu_s = _so_far(environment)
        failures = environment.stats.total.num_failures
        print(json.dumps({"requests": requests - _began[0], "cpu_s": cpu_s - _began[1], "failures": failures}))

    environment.events.spawning_complete.add_listener(begin)
    environment.events.test_stopping.add_listener(end)


if issubclass(chosen, BaseUser):
    install(
        profiles={"throughput": LoadProfile("throughput")},
        user_classes=[chosen],
        rules=["overall: requests > 0"],
        preflight=(),
    )
