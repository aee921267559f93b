"""One user class of the three that are compared, named by GENERATOR.

Prints requests and CPU seconds when its users run, and on SIGUSR1.

Only with BaseUser is loadgate installed: what it costs to record a request is part of the comparison.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import gevent
from locust import FastHttpUser, HttpUser, User, constant, events, task
from locust.env import Environment

from loadgate import LoadProfile, install
from loadgate.generator.users import BaseUser


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


@events.init.add_listener
def on_init(environment: Environment, **_: Any) -> None:
    def print_figures(*_: Any, **__: Any) -> None:
        total = environment.stats.total
        figures = {"requests": total.num_requests, "cpu_s": time.process_time(), "failures": total.num_failures}
        print(json.dumps(figures), flush=True)

    environment.events.spawning_complete.add_listener(print_figures)
    gevent.signal_handler(signal.SIGUSR1, print_figures)


if issubclass(chosen, BaseUser):
    install(
        profiles={"throughput": LoadProfile("throughput", run_time="1h")},
        user_classes=[chosen],
        rules=["overall: requests > 0"],
        preflight=(),
    )
