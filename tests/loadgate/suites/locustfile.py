"""A small suite for tests of the gate; its profiles say what their names say."""

from __future__ import annotations

import errno
import os
import socket
import time
from typing import Any

import gevent
from gevent.monkey import get_original
from locust import FastHttpUser, HttpUser, TaskSet, constant, events, runners, task
from locust.exception import RescheduleTaskImmediately

if heartbeats := os.environ.get("TEST_HEARTBEATS"):
    # The number of heartbeats that a worker may miss. On a busy machine, processes can stand still for seconds.
    runners.HEARTBEAT_LIVENESS = int(heartbeats)

if timeout_s := os.environ.get("TEST_MASTER_TIMEOUT_S"):
    runners.MASTER_HEARTBEAT_TIMEOUT = int(timeout_s)

import loadgate
from loadgate import LoadProfile, Stage
from loadgate.health import HealthLimits
from loadgate.users import BaseUser

if "TEST_CUT_OFF" in os.environ:

    def refuse_connection(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    socket.create_connection = refuse_connection

OWN_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

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
            time.sleep(0.3)

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


class GarbledUser(BaseUser):
    """What it says holds half of a character, as of a JSON string that was cut in the middle of one."""

    wait_time = constant(0.1)

    @task
    def inside(self) -> None:
        with self.client.get("/inside") as response:
            response.failure("wrong… \ud83d")

    @task
    def outside(self) -> None:
        self.measure("Half \ud83d", 5)
        raise RuntimeError("broken \ud83d")


class MeasuringUser(BaseUser):
    group = "quick"
    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        self.client.get("/ping", name="Quick - Ping")
        self.measure("Quick - Late", 250, "late")
        self.measure("Quick - Early", -1)


class PlainUser(HttpUser):
    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        self.client.get("/ping", name="requests")
        self.client.get("/own", headers={"Traceparent": OWN_TRACE})


class PlainFastUser(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def ping(self) -> None:
        self.client.get("/ping", name="fast")
        self.client.get("/own", headers={"Traceparent": OWN_TRACE})


class RejectedSamplesUser(BaseUser):
    """Has faults in what it records beside its good request."""

    wait_time = constant(0.1)

    @task
    def record(self) -> None:
        self.client.get("/ping")
        self.measure("too long", 1e14)
        self.measure("in milliseconds", 5, at_s=time.time() * 1000)
        self.fire("monotonic", start_time=time.perf_counter())
        self.fire("negative", response_length=-1)
        self.fire("infinite", response_time=float("inf"))
        self.fire("no number", response_time=float("nan"))

    def fire(self, name: str, **fault: Any) -> None:
        event = {"request_type": "X", "response_time": 5.0, "response_length": 0, "exception": None, "context": {}}
        self.environment.events.request.fire(name=name, **event | fault)


class RequestsUser(HttpUser):
    """Locust's own, as the next two."""

    wait_time = constant(30)

    @task
    def hang(self) -> None:
        self.client.get("/hang", name="requests")


class HangingFastUser(FastHttpUser):
    wait_time = constant(30)

    @task
    def hang(self) -> None:
        self.client.get("/hang")


class PonderingUser(FastHttpUser):
    wait_time = constant(30)

    has_begun = False

    @task
    def ponder(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            with self.client.get("/again", catch_response=True):
                raise RescheduleTaskImmediately
        with self.client.get("/pondered", catch_response=True):
            gevent.sleep(60)


class SpawningUser(BaseUser):
    """Does not wait for what it has begun."""

    wait_time = constant(30)

    @task
    def spawn(self) -> None:
        gevent.spawn(self.client.get, "/hang", name="spawned")
        gevent.spawn(self.client.get, "/slow", name="spawned and slow")
        gevent.spawn(self.ponder)

    def ponder(self) -> None:
        with self.client.get("/pondered", name="spawned and pondered"):
            gevent.sleep(60)


class NestedUser(BaseUser):
    @task
    class Inner(TaskSet):
        @task
        def ping(self) -> None:
            self.client.get("/ping")


def profile(name: str, weights: dict[str, int], limit_ms: float = 5000, **more: Any) -> LoadProfile:
    thresholds = {"quick_p95_ms": limit_ms, "overall_failure_rate": 0.1} if "QuickUser" in weights else {}
    settings: dict[str, Any] = {"users": 4, "spawn_rate": 20.0, "run_time": "2s", "thresholds": thresholds} | more
    return LoadProfile(name=name, description=f"the {name} profile", weight_config=weights, **settings)


PROFILES = {
    item.name: item
    for item in [
        profile("roomy", {"QuickUser": 1}),
        profile("tight", {"QuickUser": 1}, 100),
        profile("repeating", {"QuickUser": 1}, run_time="1s", rules=["quick: p95 < 5000ms", "quick: p95 < 5s"]),
        profile("slow", {"SlowUser": 1}, run_time="2s", rules=["SlowUser: requests >= 1", "overall: failures <= 0"]),
        profile("windowed", {"QuickUser": 1}, run_time="6s", thresholds={}, rules=["quick: requests >= 1 over 3s"]),
        profile(
            "crowded",
            {"QuickUser": 1, "PlainFastUser": 1},
            users=150,
            spawn_rate=100.0,
            rules=["overall: failures < 90%"],
            thresholds={},
        ),
        profile(
            "leaving",
            {"QuickUser": 2, "PlainUser": 1, "PlainFastUser": 1},
            stages=[Stage(users=40, duration="2s"), Stage(users=4, spawn_rate=100, duration="60s")],
            thresholds={},
            rules=["overall: requests > 0"],
        ),
        profile("hanging", {"QuickUser": 3, "HangingUser": 1}, run_time="2s", thresholds={"overall_failure_rate": 0}),
        profile(
            "left",
            {"RequestsUser": 1, "HangingFastUser": 1, "PonderingUser": 1, "SpawningUser": 1},
            run_time="4s",
            rules=["overall: failures <= 3"],
        ),
        profile("raising", {"RaisingUser": 1}, rules=["GET /outside: failures <= 0"]),
        profile("garbled", {"GarbledUser": 1}, rules=["overall: failures <= 0"]),
        profile("measuring", {"MeasuringUser": 1}, rules=["late: p95 <= 250ms", "Quick - Early: max < 1ms"]),
        profile("plain", {"PlainUser": 1, "PlainFastUser": 1}, run_time="2s", rules=["overall: requests > 0"]),
        profile("rejected", {"RejectedSamplesUser": 1}, run_time="4s", rules=["overall: failures <= 0 over 1s"]),
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
                Stage(users=2, duration="2s", name="base"),
                Stage(users=8, duration="2s", name="spike"),
                Stage(users=1, duration="2s", name="after"),
            ],
        ),
        profile(
            "rates",
            {"QuickUser": 1},
            stages=[Stage(rate=20, duration="2s", name="base"), Stage(rate=60, duration="2s", ramp="1s", name="peak")],
        ),
        profile("abort", {"QuickUser": 1}, run_time="60s", thresholds={}, rules=["quick: p95 < 100ms over 2s abort"]),
        profile("unknown-class", {"QuickUser": 1, "NoSuchUser": 1}),
        profile("bad-time", {"QuickUser": 1}, run_time="1 minute"),
        profile("bad-rule", {"QuickUser": 1}, rules=["quick: p95 < 100", "quick: speed < 1s"]),
        profile("misspelt", {"QuickUser": 1}, thresholds={"quik_p95_ms": 100}, rules=["quick: p95 < 1s in rush"]),
        profile("bad-threshold", {"QuickUser": 1}, thresholds={"quick_p95": 100}),
    ]
}

loadgate.install(
    profiles=PROFILES,
    user_classes=[
        QuickUser,
        BlockingUser,
        StartingUser,
        SlowUser,
        HangingUser,
        RaisingUser,
        GarbledUser,
        MeasuringUser,
        NestedUser,
        PlainUser,
        PlainFastUser,
        RejectedSamplesUser,
        RequestsUser,
        HangingFastUser,
        PonderingUser,
        SpawningUser,
    ],
    thresholds={"overall_failure_rate": 0.01},
    # These tests share their machine with others, and do not ask how fast it is.
    generator_limits=HealthLimits(
        cpu_share=100,
        lag_p99_ms=float(os.environ.get("TEST_LAG_LIMIT_MS", "60000")),
        throttled_share=1,
    ),
)

if "TEST_SHOWN_OPTIONS" in os.environ:

    @events.test_start.add_listener
    def show(environment: Any, **_: Any) -> None:
        options = environment.parsed_options
        print("options", options.num_users, options.spawn_rate, options.run_time, environment.profile, environment.host)
