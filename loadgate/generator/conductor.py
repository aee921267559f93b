"""Conducts a run from the process that judges it: stages, arrivals, progress, and an early end when a rule asks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent
from locust.runners import MasterRunner, Runner

from loadgate.generator.generators import Generators
from loadgate.generator.groups import group_of
from loadgate.generator.live_board import LiveBoard
from loadgate.live.channel import StateWriter
from loadgate.recorder import RAMP, STEADY
from loadgate.rules import abort_result
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalSchedule
from loadgate.shape.stages import Step, open_marks

CALM_S = 0.5
"""How long after the last user came the steady load or the arrivals of an open model begin. Locust then works for 10 to
60 ms in one piece, and users that came together send their first requests, on new connections, in one burst: both make
the load generator late."""

UNSEEN_S = 30
"""How long after the start of a run its rules are looked through for scopes that nothing was recorded for."""

LAST_ARRIVAL_S = 0.1
"""How long after its end an open model's load is ended, so that no arrival is cut off on its way to a user."""

logger = logging.getLogger(__name__)


class Conductor:
    """Conducts one run from the moment its users begin to come."""

    def __init__(
        self, run: Run, runner: Runner, board: LiveBoard, generators: Generators, end: Callable[[], None]
    ) -> None:
        self._run = run
        self._runner = runner
        self._board = board
        self._generators = generators
        self._end = end
        self._listener = StateWriter.from_environment()
        self._said_unseen = False
        self._arriving = False
        self._settling = gevent.Greenlet()
        self._conducting = gevent.Greenlet(self._conduct)
        self._steps: list[Step] = list(run.plan.steps)
        self._label = self._steps.pop(0).label if self._steps else STEADY
        self._groups = {user.__name__: group_of(user) for user in runner.user_classes}
        self._counted_s = time.time()

    def stop(self) -> None:
        """Conduct no more."""
        self._settling.kill()
        self._conducting.kill()

    def load_changes(self) -> None:
        """The number of users begins to change: the load or a stage begins, or somebody asked for it in the web UI."""
        run = self._run
        if not self._conducting.started:
            self._begin()
        self._settling.kill(block=False)
        if run.plan.arrivals is None and run.stopping_s is None:
            self._mark(RAMP)

    def _begin(self) -> None:
        """Begin with the run: what listeners of the suite did before is no part of it."""
        run = self._run
        run.started_s = self._counted_s = time.time()
        self._conducting.start()
        if run.plan.timed_by_gate and run.plan.run_time_s is not None and run.plan.arrivals is None:
            gevent.spawn_later(run.plan.run_time_s, self._end_in_time)

    def load_is_up(self) -> None:
        """The users that were wanted are there: begin with the arrivals, or mark requests from now on."""
        run, schedule = self._run, self._run.plan.arrivals
        if run.stopping_s is not None:
            return
        if schedule is None:
            self._settling.kill(block=False)
            self._settling = gevent.spawn_later(CALM_S, self._load_is_steady)
            return
        if self._arriving:
            return
        self._arriving = True
        gevent.spawn_later(CALM_S, self._begin_arrivals, schedule)

    def _load_is_steady(self) -> None:
        if self._run.stopping_s is None:
            self._mark(self._label)

    def _begin_arrivals(self, schedule: ArrivalSchedule) -> None:
        run = self._run
        if run.stopping_s is not None:
            return
        marks = open_marks(schedule)
        until_s = run.plan.run_time_s if run.plan.timed_by_gate else None
        self._generators.start_arrivals(schedule, marks, run.plan.user_classes, until_s)
        # The time in which the pool of users was made is no part of the schedule.
        run.started_s = time.time()
        run.mark_ahead(marks)
        if until_s is not None:
            gevent.spawn_later(until_s + LAST_ARRIVAL_S, self._end_in_time)

    def _end_in_time(self) -> None:
        if self._run.stopping_s is None:
            self._run.end_by(EndedBy.TIME)
            self._end()

    def _mark(self, label: str) -> None:
        self._run.enter_stage(label)
        self._generators.enter_stage(label)

    def _say_unseen(self) -> None:
        """Warn once of rules that nothing was recorded for yet, long before a long run ends without a verdict."""
        run = self._run
        if self._said_unseen or run.elapsed_s < UNSEEN_S:
            return
        self._said_unseen = True
        for rule in run.facts().applicable(run.plan.rules, run.recorder):
            if rule.stage is None and not run.recorder.totals(rule.scope).requests:
                logger.warning("rule '%s': nothing of %r was recorded in the first %d s", rule, rule.scope, UNSEEN_S)

    def _conduct(self) -> None:
        while True:
            self._say_unseen()
            self._count_users()
            self._board.note_health()
            self._generators.look_after(self._run)
            if self._listener is not None:
                self._listener.write(self._board.state())
            self._look_for_abort()
            self._take_due_step()
            gevent.sleep(1)

    def _count_users(self) -> None:
        """Note how many users are running, and in which groups they have been since the last look."""
        run, runner, now_s = self._run, self._runner, time.time()
        by_class = runner.reported_user_classes_count if isinstance(runner, MasterRunner) else runner.user_classes_count
        for name, count in by_class.items():
            run.user_seconds[self._groups.get(name, "")] += count * (now_s - self._counted_s)
        self._counted_s = now_s
        run.user_counts.append((int(now_s), sum(by_class.values())))

    def _take_due_step(self) -> None:
        if not self._steps or self._run.elapsed_s < self._steps[0].at_s or self._run.stopping_s is not None:
            return
        step = self._steps.pop(0)
        self._label = step.label
        # The master's start returns only when the ramp is over.
        gevent.spawn(self._runner.start, step.users, step.spawn_rate)

    def _look_for_abort(self) -> None:
        run = self._run
        if run.stopping_s is not None or not any(rule.abort for rule in run.plan.rules):
            return
        complete_until_s = int(time.time()) - self._board.behind_s
        broken = abort_result(run.plan.rules, run.recorder, run.facts().context(), complete_until_s=complete_until_s)
        if broken is not None:
            run.end_by(EndedBy.RULE)
            run.aborted_by = broken
            logger.warning("%s", run.facts().abort_reason)
            gevent.spawn(self._end)
