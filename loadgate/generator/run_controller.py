"""Control a run in the process that determines the verdict: stages, arrivals, live state, and rules with `abort`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import gevent
from locust.runners import MasterRunner, Runner

from loadgate.generator.generators import Generators
from loadgate.generator.groups import group_of
from loadgate.generator.live_state_cache import LiveStateCache
from loadgate.live.channel import StateWriter
from loadgate.recorder import RAMP, STEADY
from loadgate.rules import abort_batches, abort_result
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run
from loadgate.shape.arrivals import ArrivalSchedule
from loadgate.shape.stages import Step, open_stage_starts

SETTLE_S = 0.5
"""Time from the start of the last user to the steady stage or to the first arrival. During this time the generator
lags: Locust blocks the event loop for 10 to 60 ms, and new users send their first requests in a burst on new
connections."""

READY_WITHIN_S = 30.0
"""Time in which the users of an open model must have ended their `on_start`, before the arrivals start anyway."""

READY_POLL_S = 0.02

EMPTY_RULES_AFTER_S = 30
"""Time after the start of a run at which a warning names the rules whose scope has no requests."""

LAST_ARRIVAL_S = 0.1
"""Time from the end of an open model's schedule to the end of its load, so that the last arrival reaches its user."""

logger = logging.getLogger(__name__)


class RunController:
    """Controls one run from the start of its first user."""

    def __init__(
        self, run: Run, runner: Runner, live_states: LiveStateCache, generators: Generators, end: Callable[[], None]
    ) -> None:
        self._run = run
        self._runner = runner
        self._live_states = live_states
        self._generators = generators
        self._end = end
        self._state_writer = StateWriter.from_environment()
        self._has_warned = False
        self._arrivals_started = False
        self._settle_timer = gevent.Greenlet()
        self._loop = gevent.Greenlet(self._control)
        self._steps: list[Step] = list(run.plan.steps)
        self._label = self._steps.pop(0).label if self._steps else STEADY
        self._groups = {user.__name__: group_of(user) for user in runner.user_classes}
        self._counted_s = time.time()
        self._batches = abort_batches(run.plan.rules, run.recorder)

    def stop(self) -> None:
        """Stop the control of the run."""
        self._settle_timer.kill()
        self._loop.kill()

    def load_changes(self) -> None:
        """Handle the start of a change of the number of users by the run, a stage or the web UI."""
        run = self._run
        if not self._loop.started:
            self._begin()
        self._settle_timer.kill(block=False)
        if run.plan.arrivals is None and not run.is_stopped:
            self._mark(RAMP)

    def _begin(self) -> None:
        """Set the start of the run to now, because the suite's listeners have delayed it."""
        run = self._run
        run.started_s = self._counted_s = time.time()
        self._loop.start()
        if run.plan.timed_by_gate and run.plan.run_time_s is not None and run.plan.arrivals is None:
            gevent.spawn_later(run.plan.run_time_s, self._end_in_time)

    def load_is_up(self) -> None:
        """Handle the end of a change of the number of users: start the arrivals, or enter the steady stage."""
        run, schedule = self._run, self._run.plan.arrivals
        if run.is_stopped:
            return
        if schedule is None:
            self._settle_timer.kill(block=False)
            self._settle_timer = gevent.spawn_later(SETTLE_S, self._load_is_steady)
            return
        if self._arrivals_started:
            return
        self._arrivals_started = True
        gevent.spawn(self._begin_arrivals, schedule)

    def _load_is_steady(self) -> None:
        if not self._run.is_stopped:
            self._mark(self._label)

    def _begin_arrivals(self, schedule: ArrivalSchedule) -> None:
        run = self._run
        self._await_users()
        gevent.sleep(SETTLE_S)
        if run.is_stopped:
            return
        until_s = run.plan.run_time_s if run.plan.timed_by_gate else None
        self._generators.start_arrivals(schedule, run.plan.user_classes, until_s)
        # The schedule starts now, after the pool of users has started.
        run.started_s = time.time()
        run.schedule_stages(open_stage_starts(schedule))
        if until_s is not None:
            gevent.spawn_later(until_s + LAST_ARRIVAL_S, self._end_in_time)

    def _await_users(self) -> None:
        """Wait until the users have ended their `on_start`, so that what it requests is not part of the load."""
        spawned_s = time.monotonic()
        while not self._generators.are_users_ready(spawned_s) and not self._run.is_stopped:
            if time.monotonic() > spawned_s + READY_WITHIN_S:
                logger.warning(
                    "the arrivals start now, although users have not ended their on_start within %g s", READY_WITHIN_S
                )
                return
            gevent.sleep(READY_POLL_S)

    def _end_in_time(self) -> None:
        if not self._run.is_stopped:
            self._run.end_by(EndedBy.TIME)
            self._end()

    def _mark(self, label: str) -> None:
        self._run.enter_stage(label)
        self._generators.enter_stage(label)

    def _warn_of_empty_rules(self) -> None:
        """Warn early, but only once, about rules whose scope has no requests. They make the run inconclusive."""
        run = self._run
        if self._has_warned or run.elapsed_s < EMPTY_RULES_AFTER_S:
            return
        self._has_warned = True
        for rule in run.facts().applicable(run.plan.rules, run.recorder):
            if rule.stage is None and not rule.is_known_at_end and not run.recorder.totals(rule.scope).requests:
                logger.warning(
                    "rule '%s': no request in the scope %r in the first %d s", rule, rule.scope, EMPTY_RULES_AFTER_S
                )

    def _control(self) -> None:
        while True:
            self._warn_of_empty_rules()
            self._count_users()
            self._live_states.note_health()
            self._generators.check_processes(self._run)
            if self._state_writer is not None:
                self._state_writer.write(self._live_states.state())
            self._check_abort()
            self._start_due_step()
            gevent.sleep(1)

    def _count_users(self) -> None:
        """Record the number of running users, and the running time of each group's users since the last call."""
        run, runner, now_s = self._run, self._runner, time.time()
        by_class = runner.reported_user_classes_count if isinstance(runner, MasterRunner) else runner.user_classes_count
        for name, count in by_class.items():
            run.user_seconds[self._groups.get(name, "")] += count * (now_s - self._counted_s)
        self._counted_s = now_s
        run.user_counts.append((int(now_s), sum(by_class.values())))

    def _start_due_step(self) -> None:
        if not self._steps or self._run.elapsed_s < self._steps[0].at_s or self._run.is_stopped:
            return
        step = self._steps.pop(0)
        self._label = step.label
        # On a master, `start` returns only at the end of the ramp, so it runs in a greenlet of its own.
        gevent.spawn(self._runner.start, step.users, step.spawn_rate)

    def _check_abort(self) -> None:
        run = self._run
        if run.is_stopped or not any(rule.abort for rule in run.plan.rules):
            return
        complete_until_s = int(time.time()) - self._live_states.behind_s
        self._batches.advance(complete_until_s)
        context = replace(run.facts().context(), batches=self._batches)
        broken = abort_result(run.plan.rules, run.recorder, context, complete_until_s=complete_until_s)
        if broken is not None:
            run.end_by(EndedBy.RULE, broken)
            logger.warning("%s", run.facts().abort_reason)
            gevent.spawn(self._end)
