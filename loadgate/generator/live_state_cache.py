"""Compute and cache the live state of a run for the terminal and the web UI."""

from __future__ import annotations

import time

import gevent
from locust.runners import MasterRunner, Runner

from loadgate.generator.health import HealthSampler
from loadgate.live.rules import LiveRules
from loadgate.live.state import LiveState, live_state
from loadgate.run.state import Run

REPORTED_AFTER_S = 5
"""Workers report every 3 s, so a second that ended this long ago is complete."""

MAX_AGE_S = 0.9
"""Maximum age of a cached state."""

YIELD_S = 0.001
"""Pause between two parts of the computation, in which the event loop reads responses."""


class LiveStateCache:
    """The live state of one run. It is computed only on request, because the computation delays the load generator."""

    def __init__(self, run: Run, runner: Runner, own_health: HealthSampler, cpu_limit_share: float) -> None:
        self._run = run
        self._runner = runner
        self._own_health = own_health
        self._cpu_limit_share = cpu_limit_share
        self._rules = LiveRules(run.facts().applicable(run.plan.rules, run.recorder), run.recorder)
        self._state: LiveState | None = None
        self._made_s = 0.0
        self._is_final = False

    def finish(self) -> None:
        """Keep the current state from now on, because the run has ended."""
        self._is_final = True

    def state(self) -> LiveState:
        """Return the current state. After the end of the run, return the last state."""
        is_old = time.monotonic() - self._made_s > MAX_AGE_S and not self._is_final
        if self._state is None or is_old:
            # Set before the computation, so that concurrent callers get the previous state.
            self._made_s = time.monotonic()
            self._state = live_state(
                self._run,
                self._rules,
                users=self._run.user_counts[-1][1] if self._run.user_counts else 0,
                cpu_share=self._cpu_share(),
                cpu_limit_share=self._cpu_limit_share,
                behind_s=self.behind_s,
                between=lambda: gevent.sleep(YIELD_S),
            )
        return self._state

    def note_health(self) -> None:
        """Update this process's health, which the evaluation of rules during the run uses."""
        self._run.health[self._own_health.process] = self._own_health.health()

    @property
    def behind_s(self) -> int:
        """Return the number of latest seconds that may be incomplete."""
        return REPORTED_AFTER_S if isinstance(self._runner, MasterRunner) else 0

    def _cpu_share(self) -> float | None:
        """Return the CPU use of the busiest generator process. Workers report theirs to Locust every few seconds."""
        if not isinstance(self._runner, MasterRunner):
            return self._own_health.recent_cpu_share()
        busiest = max((worker.cpu_usage for worker in self._runner.clients.values()), default=0)
        return busiest / 100 if busiest else None
