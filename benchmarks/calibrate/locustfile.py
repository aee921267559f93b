"""The suite of the calibration: one user class, one endpoint, and a rule that always passes."""

from __future__ import annotations

from locust import between, task

from benchmarks.calibrate.cases import PAUSE_S
from loadgate import LoadProfile, install
from loadgate.generator.users import BaseUser


class Caller(BaseUser):
    """Asks for the same thing again and again, on a connection that is open already."""

    group = "stub"
    wait_time = between(*PAUSE_S)

    def on_start(self) -> None:
        # Connecting is part of a latency, but nothing that a server can know the length of: it has a name of its own.
        self.client.get("/warm-up", name="warm-up")
        self.wait()  # type: ignore[no-untyped-call]

    @task
    def ask(self) -> None:
        self.client.get("/answer", name="answer")


install(
    profiles={"calibrate": LoadProfile("calibrate")},
    user_classes=[Caller],
    rules=["overall: requests > 0"],
    preflight=(),
)
