"""Control a run without load, in a process of its own, because Locust patches Python.

Print the warnings of the run, or the length of its ramp after the start of the last user in seconds, or what is logged
if users of an open model do not become ready.
"""

from __future__ import annotations

import logging
import sys
import time

import gevent
from locust import User
from locust.env import Environment

from loadgate.generator import run_controller
from loadgate.generator.generators import ThisProcess
from loadgate.generator.health import HealthSampler
from loadgate.generator.live_state_cache import LiveStateCache
from loadgate.generator.pacer import Pacer
from loadgate.generator.run_controller import RunController
from loadgate.recorder import RAMP, STEADY, FinishedRequest, Outcome
from loadgate.rules import parse_rules
from loadgate.run.health import HealthLimits
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalSchedule, parse_rate
from loadgate.shape.profile import LoadProfile

RULES = ["seen: p95 < 1s", "unseen: p95 < 1s", "unseen: p95 < 1s in ramp", "left out: p95 < 1s"]
ROUNDS = 3


class Counting(ThisProcess):
    """Count the rounds of the run controller. Each round checks the processes once."""

    rounds = 0

    def check_processes(self, run: Run) -> None:
        self.rounds += 1


def controlled(arrivals: ArrivalSchedule | None = None) -> tuple[RunController, Run, Counting]:
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
        arrivals=arrivals,
    )
    run = Run(plan)
    generators = Counting(Pacer(run.recorder.count, run.count_late, run.record_lag), runner)
    live_states = LiveStateCache(run, runner, HealthSampler("process", HealthLimits(), None), 1.0)
    return RunController(run, runner, live_states, generators, runner.quit), run, generators


def print_warnings(empty_rules_after_s: float) -> None:
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    run_controller.EMPTY_RULES_AFTER_S = empty_rules_after_s  # type: ignore[assignment]  # a run of 30 s is too long for a test
    controller, run, generators = controlled()
    run.recorder.record(FinishedRequest("seen", Outcome.SUCCESS, time.time(), 5.0))
    controller.load_changes()
    with gevent.Timeout(30):
        while generators.rounds < ROUNDS:
            gevent.sleep(0.02)
    controller.stop()


def print_ramp() -> None:
    controller, run, _ = controlled()
    gevent.sleep(0.01)  # a timer that is set before the event loop runs counts from the creation of the loop
    controller.load_changes()
    began_s = time.time()
    controller.load_is_up()
    with gevent.Timeout(30):
        while run.stages[-1][1] == RAMP:
            gevent.sleep(0.02)
    controller.stop()
    print(run.stages[-1][0] - began_s)


def print_arrivals() -> None:
    """Print what is logged, and the stage, of a run whose users do not end their start."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    run_controller.READY_WITHIN_S = 0.2
    Counting.are_users_ready = lambda *_: False  # type: ignore[method-assign]
    controller, run, _ = controlled(parse_rate("10/s"))
    controller.load_changes()
    controller.load_is_up()
    with gevent.Timeout(30):
        while run.stages[-1][1] != STEADY:
            gevent.sleep(0.02)
    controller.stop()


if __name__ == "__main__":
    if sys.argv[1] == "ramp":
        print_ramp()
    elif sys.argv[1] == "arrivals":
        print_arrivals()
    else:
        print_warnings(float(sys.argv[1]))
