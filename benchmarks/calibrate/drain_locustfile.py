"""The suite of the proof of recovery times: one user class, and a profile for each length of a run."""

from __future__ import annotations

from locust import task

from benchmarks.calibrate.drains import DRAIN_CASES, GROUP
from loadgate import install
from loadgate.generator.users import BaseUser


class Caller(BaseUser):
    """Sends one request for each arrival."""

    group = GROUP

    @task
    def ask(self) -> None:
        self.client.get("/", name="answer")


install(
    profiles={case.profile.name: case.profile for case in DRAIN_CASES},
    user_classes=[Caller],
    rules=["overall: requests > 0"],
    preflight=(),
)
