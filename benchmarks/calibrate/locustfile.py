"""The suite with which the calibration drives loadgate: one user, one endpoint, and a rule that always holds."""

from __future__ import annotations

from locust import between, task


from loadgate import LoadProfile, install
from loadgate.users import BaseUser


class Caller(BaseUser):
    """Asks for the same thing again and again."""

    group = "stub"
    wait_time = between(0.1, 0.3)

    @task
    def ask(self) -> None:
        self.client.get("/answer")


install(
    profiles={"calibrate": LoadProfile("calibrate")},
    user_classes=[Caller],
    rules=["overall: requests > 0"],
    preflight=(),
)
