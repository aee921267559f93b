"""A small suite for tests of the gate; its profiles say what their names say."""

from __future__ import annotations

import os
from typing import Any

from gevent.monkey import get_original
from locust import TaskSet, constant, events, task

import loadgate
from loadgate import LoadProfile, Stage
from loadgate.health import HealthLimits
from loadgate.users import BaseUser

really_sleep = get_original("time", "sleep")


class QuickUser(BaseUser):
    group = "quick"
    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        with self.client.get("/ping", name="Quick - Ping") as response:
            if response.status_code == 200:
                response.success()
            else:
                response.failure(f"Failed: {response.status_code}")

    @task
    def plain(self) -> None:
        self.client.get("/plain")


class BlockingUser(BaseUser):
    """Keeps its whole process from doing anything else for much of the time."""

    wait_time = constant(0.2)

    @task
    def block(self) -> None:
        really_sleep(0.3)


class StartingUser(BaseUser):
    group = "starting"
    wait_time = constant(0.05)

    def on_start(self) -> None:
        for _ in range(5):
            self.client.get("/sign-up")

    @task
    def ping(self) -> None:
        self.client.get("/ping")


class SlowUser(BaseUser):
    wait_time = constant(30)

    @task
    def slow(self) -> None:
        self.client.get("/slow")


class HangingUser(BaseUser):
    group = "hanging"
    wait_time = constant(30)

    @task
    def hang(self) -> None:
        self.client.get("/hang")


class RaisingUser(BaseUser):
    wait_time = constant(0.1)

    @task
    def inside(self) -> None:
        with self.client.get("/inside") as response:
            response.json()["missing"]

    @task
    def outside(self) -> None:
        self.client.get("/outside")
        raise RuntimeError("the scenario is broken")


class MeasuringUser(BaseUser):
    group = "quick"
    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        self.client.get("/ping", name="Quick - Ping")
        self.measure("Quick - Late", 250, "late")
        self.measure("Quick - Early", -1)


class NestedUser(BaseUser):
    @task
    class Inner(TaskSet):
        @task
        def ping(self) -> None:
            self.client.get("/ping")


def profile(name: str, weights: dict[str, int], limit_ms: float = 5000, **more: Any) -> LoadProfile:
    thresholds = {"quick_p95_ms": limit_ms, "overall_failure_rate": 0.01} if "QuickUser" in weights else {}
    settings: dict[str, Any] = {"users": 4, "spawn_rate": 20.0, "run_time": "3s", "thresholds": thresholds} | more
    return LoadProfile(name=name, description=f"the {name} profile", weight_config=weights, **settings)


PROFILES = {
    item.name: item
    for item in [
        profile("roomy", {"QuickUser": 1}),
        profile("tight", {"QuickUser": 1}, 100),
        profile("slow", {"SlowUser": 1}, run_time="2s", rules=["SlowUser: requests >= 1", "overall: failures < 1%"]),
        profile("hanging", {"QuickUser": 3, "HangingUser": 1}, run_time="2s", thresholds={"overall_failure_rate": 0}),
        profile("raising", {"RaisingUser": 1}, rules=["GET /outside: failures < 1%"]),
        profile("measuring", {"MeasuringUser": 1}, rules=["late: p95 <= 250ms", "Quick - Early: max < 1ms"]),
        profile("open", {"QuickUser": 1}, rate="40/s"),
        profile("open-blocked", {"QuickUser": 19, "BlockingUser": 1}, 50, rate="30/s"),
        profile("open-starting", {"StartingUser": 1}, rate="20/s", rules=["starting: requests > 0"]),
        profile("open-slow", {"SlowUser": 1}, users=2, rate="4/s", rules=["SlowUser: requests >= 1"]),
        profile("open-raising", {"RaisingUser": 3, "QuickUser": 1}, rate="10/s"),
        profile("open-nested", {"NestedUser": 1}, rate="10/s"),
        profile(
            "staged",
            {"QuickUser": 1},
            stages=[
                Stage(users=2, duration="3s", name="base"),
                Stage(users=8, duration="3s", name="spike"),
                Stage(users=1, duration="3s", name="after"),
            ],
        ),
        profile(
            "rates",
            {"QuickUser": 1},
            stages=[Stage(rate=20, duration="2s", name="base"), Stage(rate=60, duration="2s", ramp="1s", name="peak")],
        ),
        profile("abort", {"QuickUser": 1}, run_time="60s", thresholds={}, rules=["quick: p95 < 100ms over 2s abort"]),
        profile("unknown-class", {"QuickUser": 1, "NoSuchUser": 1}),
        profile("bad-rule", {"QuickUser": 1}, rules=["quick: p95 < 100", "quick: speed < 1s"]),
        profile("bad-threshold", {"QuickUser": 1}, thresholds={"quick_p95": 100}),
    ]
}

loadgate.install(
    profiles=PROFILES,
    user_classes=[QuickUser, BlockingUser, StartingUser, SlowUser, HangingUser, RaisingUser, MeasuringUser, NestedUser],
    thresholds={"overall_failure_rate": 0.01},
    # These tests share their machine with others, and do not ask how fast it is.
    generator_limits=HealthLimits(cpu_share=100, lag_p99_ms=float(os.environ.get("TEST_LAG_LIMIT_MS", "60000"))),
)

if "TEST_SHOWN_OPTIONS" in os.environ:

    @events.test_start.add_listener
    def show(environment: Any, **_: Any) -> None:
        options = environment.parsed_options
        print("options", options.num_users, options.spawn_rate, options.run_time, environment.profile, environment.host)
