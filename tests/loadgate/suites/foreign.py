"""A suite as other people write them: users of every kind of Locust's, listeners of its own, figures fired by hand.

`TEST_LISTENERS` names the listeners of LISTENERS that are added before the gate is installed, and `TEST_SHAPE` how
many seconds a load shape goes on.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Any

from locust import FastHttpUser, HttpUser, LoadTestShape, User, constant, events, runners, task
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser

import loadgate
from loadgate import LoadProfile
from loadgate.health import HealthLimits
from loadgate.users import BaseUser

# Locust monitors a process every ten seconds, which is longer than a run of a test.
runners.CPU_MONITOR_INTERVAL = 0.5
PAUSE = constant(0.1)
TAKEN: list[int] = []
"""Descriptors that `take_all_descriptors` holds until the process ends."""
GIVE_UP = {
    "/fail/reschedule": RescheduleTask,
    "/fail/now": RescheduleTaskImmediately,
    "/fail/stop": StopUser,
    "/fail/interrupt": InterruptTaskSet,
}


@events.request.add_listener
def give_up_the_task(name: str, exception: Any = None, **_: Any) -> None:
    """What locust-plugins' RescheduleTaskOnFail and others do."""
    if exception and name in GIVE_UP:
        raise GIVE_UP[name]


class GivingUp(HttpUser):
    wait_time = PAUSE

    @task
    def reschedule(self) -> None:
        self.client.get("/fail/reschedule")

    @task
    def now(self) -> None:
        self.client.get("/fail/now")
        raise AssertionError("not reached")

    @task
    def stop_user(self) -> None:
        self.client.get("/fail/stop")


class FastGivingUp(FastHttpUser):
    wait_time = PAUSE
    group = "fast"

    @task
    def reschedule(self) -> None:
        self.client.get("/fail/reschedule")


class BaseGivingUp(BaseUser):
    wait_time = PAUSE

    @task
    def reschedule(self) -> None:
        with self.client.get("/fail/reschedule"):
            pass


class Asserting(HttpUser):
    wait_time = PAUSE

    @task
    def check(self) -> None:
        with self.client.get("/fail/assert", catch_response=True) as response:
            assert response.status_code == 200, "not as it should be"

    @task
    def parse(self) -> None:
        with self.client.get("/parsed", catch_response=True) as response:
            response.json()["items"][7]

    @task
    def decide(self) -> None:
        with self.client.get("/decided", catch_response=True) as response:
            response.success()
            raise RuntimeError("after it was decided")


class FastAsserting(FastHttpUser):
    wait_time = PAUSE

    @task
    def check(self) -> None:
        with self.client.get("/fail/fast", catch_response=True) as response:
            assert response.status_code == 200, "not as it should be"


class Shop(HttpUser):
    wait_time = PAUSE

    @task
    def read_and_order(self) -> None:
        self.client.get("/cart", name="cart")
        self.client.post("/fail/cart", name="cart")


class Admin(Shop):
    group = "admin"


class Firing(User):
    """Has a client of its own, which does not know of groups."""

    wait_time = PAUSE
    group = "own"

    @task
    def fire(self) -> None:
        fire = self.environment.events.request.fire
        fire(request_type="WSR", name="call", response_time=20, response_length=0)
        fire(request_type="WSS", name="call", response_time=None, response_length=0)
        fire(request_type="WSS", name="lost", response_time=None, response_length=0, exception=OSError("gone"))
        fire(request_type="METRIC", name="tokens", response_time=40, response_length=0)
        fire(request_type="CHARS", name="chars", response_time=7, response_length=0, exception=ValueError("none"))


class Mixed(HttpUser):
    """One of five requests fails, and no event of those that are none."""

    wait_time = PAUSE
    sent = 0

    @task
    def ask(self) -> None:
        self.sent += 1
        self.client.get("/fail/x" if self.sent % 5 == 0 else "/x", name="ask")
        for figure in ("tokens", "chars", "cost"):
            events.request.fire(
                request_type="FIGURE", name=figure, response_time=40, response_length=0, exception=None, context=None
            )


class Streaming(HttpUser):
    wait_time = PAUSE

    @task
    def whole(self) -> None:
        with self.client.get("/stream", stream=True, catch_response=True, name="requests") as response:
            for _ in response.iter_lines():
                pass
            time.sleep(0.3)

    @task
    def content(self) -> None:
        with self.client.get("/stream", stream=True, catch_response=True, name="requests content") as response:
            assert response.text
            time.sleep(0.3)

    @task
    def left(self) -> None:
        with self.client.get("/stream", stream=True, catch_response=True, name="requests left"):
            pass

    @task
    def no_block(self) -> None:
        list(self.client.get("/stream", stream=True, name="requests no block").iter_content(10))


class FastStreaming(FastHttpUser):
    wait_time = PAUSE

    @task
    def whole(self) -> None:
        with self.client.get("/stream", stream=True, catch_response=True, name="fast") as response:
            list(response.iter_content())
            time.sleep(0.3)


class BaseStreaming(BaseUser):
    wait_time = PAUSE

    @task
    def whole(self) -> None:
        with self.client.get("/stream", stream=True, name="base") as response:
            list(response.iter_content())
            time.sleep(0.3)

    @task
    def left(self) -> None:
        with self.client.get("/stream", stream=True, name="base left"):
            pass


class Endless(HttpUser):
    @task
    def read(self) -> None:
        with self.client.get("/endless", stream=True, catch_response=True, name="requests") as response:
            list(response.iter_lines())


class FastEndless(FastHttpUser):
    @task
    def read(self) -> None:
        with self.client.get("/endless", stream=True, catch_response=True, name="fast") as response:
            list(response.iter_content())


class BaseEndless(BaseUser):
    @task
    def read(self) -> None:
        with self.client.get("/endless", stream=True, name="base") as response:
            list(response.iter_content())


class Plain(HttpUser):
    wait_time = constant(0.05)

    @task
    def get(self) -> None:
        self.client.get("/ok")


class Quitting(HttpUser):
    wait_time = constant(0.05)

    @task
    def get(self) -> None:
        for _ in range(10):
            self.client.get("/ok")
        assert self.environment.runner is not None
        self.environment.runner.quit()


class Steps(LoadTestShape):
    abstract = "TEST_SHAPE" not in os.environ

    def tick(self) -> tuple[int, float] | None:
        return (3, 10) if self.get_run_time() < float(os.environ["TEST_SHAPE"]) else None


def quit_at_once(environment: Any, **_: Any) -> None:
    environment.runner.quit()


def stop_at_once(environment: Any, **_: Any) -> None:
    environment.runner.stop()


def exit_at_once(**_: Any) -> None:
    sys.exit(4)


def wait(**_: Any) -> None:
    time.sleep(1.5)
    print(f"waited until {time.time()}", file=sys.stderr)


def break_down(**_: Any) -> None:
    raise RuntimeError("the database could not be seeded")


def set_code(environment: Any, **_: Any) -> None:
    environment.process_exit_code = 1


def take_all_descriptors(**_: Any) -> None:
    with contextlib.suppress(OSError):
        while True:
            TAKEN.append(os.open(os.devnull, os.O_RDONLY))


for item in os.environ.get("TEST_LISTENERS", "").split():
    event, _, name = item.partition(":")
    getattr(events, event).add_listener(globals()[name])


def profile(name: str, *classes: type[User], rules: list[str], **more: Any) -> LoadProfile:
    weights = {user_class.__name__: 1 for user_class in classes}
    settings: dict[str, Any] = {"users": len(classes), "spawn_rate": 20.0, "run_time": "2s"} | more
    return LoadProfile(name=name, weight_config=weights, rules=rules, **settings)


RECORDED = (GivingUp, FastGivingUp, BaseGivingUp, Asserting, FastAsserting, Shop, Admin, Firing)
STREAMING = (Streaming, FastStreaming, BaseStreaming)
ENDLESS = (Endless, FastEndless, BaseEndless)

PROFILES = {
    item.name: item
    for item in [
        profile(
            "recorded",
            *RECORDED,
            rules=["WSS call: p95 < 1ms", "admin: requests > 0", "POST cart: failures < 1%", "tokens: max <= 40ms"],
        ),
        profile("mixed", Mixed, Mixed, rules=["overall: failures < 10%", "ask: p95 < 5s"]),
        profile("streaming", *STREAMING, rules=["fast: p50 < 5s"]),
        profile("endless", *ENDLESS, run_time="1s", rules=["overall: requests > 0"]),
        profile("plain", Plain, rules=["overall: failures <= 0"]),
        profile("long", Plain, users=2, run_time="5m", rules=["overall: failures <= 0"]),
        profile("quitting", Quitting, run_time="1m", rules=["overall: failures <= 0"]),
    ]
}

loadgate.install(
    profiles=PROFILES,
    user_classes=[*RECORDED, Mixed, *STREAMING, *ENDLESS, Plain, Quitting],
    preflight=[],
    generator_limits=HealthLimits(cpu_share=100, lag_p99_ms=60_000, throttled_share=1),
    measures=["METRIC", "CHARS"],
    requests=["WSR", "WSS"],
)
