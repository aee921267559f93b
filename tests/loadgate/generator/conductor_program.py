"""Conducts a run without load and prints its warnings. A process of its own: Locust patches the standard library."""

from __future__ import annotations

import logging
import sys
import time

import gevent
from locust import User
from locust.env import Environment

from loadgate.generator import conductor
from loadgate.generator.conductor import Conductor
from loadgate.generator.generators import ThisProcess
from loadgate.generator.health import HealthSampler
from loadgate.generator.live_board import LiveBoard
from loadgate.recorder import FinishedRequest, Outcome
from loadgate.rules import parse_rules
from loadgate.run.health import HealthLimits
from loadgate.run.state import Plan, Run
from loadgate.shape.profile import LoadProfile

RULES = ["seen: p95 < 1s", "unseen: p95 < 1s", "unseen: p95 < 1s in ramp", "left out: p95 < 1s"]
ROUNDS = 3


class Counting(ThisProcess):
    """Counts how often the conductor looks after the generators, once a round."""

    rounds = 0

    def look_after(self, run: Run) -> None:
        self.rounds += 1


def main(unseen_s: float) -> None:
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    conductor.UNSEEN_S = unseen_s  # type: ignore[assignment]  # a run of 30 s is too long for a test
    environment = Environment(user_classes=[User])
    runner = environment.create_local_runner()
    plan = Plan(
        LoadProfile(name="p"),
        tuple(parse_rules(RULES)),
        "http://127.0.0.1:1",
        1,
        1.0,
        60.0,
        10.0,
        1,
        {"User": 1},
        groups_without_users=frozenset({"left out"}),
    )
    run, generators = Run(plan), Counting(None)
    run.recorder.record(FinishedRequest("seen", Outcome.SUCCESS, time.time(), 5.0))
    board = LiveBoard(run, runner, HealthSampler("process", HealthLimits(), None), 1.0)
    conducted = Conductor(run, runner, board, generators, runner.quit)
    conducted.load_changes()
    with gevent.Timeout(30):
        while generators.rounds < ROUNDS:
            gevent.sleep(0.02)
    conducted.stop()


if __name__ == "__main__":
    main(float(sys.argv[1]))
