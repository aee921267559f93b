"""The suite of the proof: one user class, and rules for several percentiles, the mean and the failures."""

from __future__ import annotations

from locust import task

from benchmarks.calibrate.ab.versions import GROUP
from loadgate import LoadProfile, install
from loadgate.generator.users import BaseUser


class Caller(BaseUser):
    """Sends one request for each arrival."""

    group = GROUP

    @task
    def ask(self) -> None:
        self.client.get("/", name="answer")


install(
    profiles={"ab": LoadProfile("ab", users=40, spawn_rate=100, rate="50/s")},
    user_classes=[Caller],
    rules=[*(f"{GROUP}: {metric} < 10s" for metric in ("p50", "p95", "p99", "mean")), f"{GROUP}: failures < 5%"],
    preflight=(),
)
