"""The locustfile of the run for the screenshots of the report. TEST_PICTURE_S is its duration in seconds."""

from __future__ import annotations

import os

from locust import between, task

import loadgate
from loadgate import LoadProfile, Stage
from loadgate.generator.users import BaseUser
from loadgate.health import HealthLimits

SECONDS = float(os.environ.get("TEST_PICTURE_S", "8"))


class HealthUser(BaseUser):
    group = "health"
    wait_time = between(0.2, 0.6)

    @task(3)
    def ping(self) -> None:
        self.client.get("/ping", name="Health - Ping")

    @task
    def full(self) -> None:
        self.client.get("/health", name="Health - Full")


class AuthUser(BaseUser):
    group = "auth"
    wait_time = between(0.2, 0.6)

    @task
    def login(self) -> None:
        self.client.get("/login", name="Auth - Login")

    @task(4)
    def me(self) -> None:
        self.client.get("/me", name="Auth - Me")


class TasksUser(BaseUser):
    group = "tasks"
    wait_time = between(0.2, 0.6)

    @task
    def listed(self) -> None:
        self.client.get("/tasks", name="Tasks - List")


STAGES = [
    Stage(users=20, duration=SECONDS / 2, ramp=SECONDS / 8, name="base"),
    Stage(users=40, duration=SECONDS / 2, ramp=SECONDS / 12, name="peak"),
]
RULES = [
    "health: p95 < 100ms",
    "auth: p95 < 250ms",
    f"tasks: p95 < 150ms over {max(2, round(SECONDS / 10))}s",
    "overall: failures < 1%",
]
PROFILE = LoadProfile(
    name="peak",
    description="twice the usual users",
    stages=STAGES,
    rules=RULES,
    weight_config={"HealthUser": 3, "AuthUser": 4, "TasksUser": 2},
)

loadgate.install(
    profiles={"peak": PROFILE},
    user_classes=[HealthUser, AuthUser, TasksUser],
    # The screenshots show the report; the speed of this machine does not matter.
    generator_limits=HealthLimits(cpu_share=100, lag_p99_ms=60_000, throttled_share=1),
)
