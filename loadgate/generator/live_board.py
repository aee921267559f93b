"""Where the process that judges a run keeps its state of the moment, for whoever wants to show it."""

from __future__ import annotations

import time

import gevent
from locust.runners import MasterRunner, Runner

from loadgate.generator.health import HealthSampler
from loadgate.live.rules import LiveRules
from loadgate.live.state import LiveState, live_state
from loadgate.run.state import Run

REPORTED_AFTER_S = 5
"""Workers report every 3 s; after this long a second is known to be whole."""

MAX_AGE_S = 0.9
"""How old a state may be that is shown once more."""

BREATH_S = 0.001
"""Between two parts of the work, in which the event loop takes in answers."""


class LiveBoard:
    """The state of one run, made only when asked for: it costs the process time, which may make load itself."""

    def __init__(self, run: Run, runner: Runner, own_health: HealthSampler, cpu_limit_share: float) -> None:
        self._run = run
        self._runner = runner
        self._own_health = own_health
        self._cpu_limit_share = cpu_limit_share
        self._rules = LiveRules(run.facts().applicable(run.plan.rules, run.recorder), run.recorder)
        self._state: LiveState | None = None
        self._made_s = 0.0

    def state(self) -> LiveState:
        """Return how the run goes; once it has ended, how it went."""
        is_old = time.monotonic() - self._made_s > MAX_AGE_S and self._run.ended_s is None
        if self._state is None or is_old:
            # Before the work, so that whoever asks meanwhile gets the last state.
            self._made_s = time.monotonic()
            self._state = live_state(
                self._run,
                self._rules,
                users=self._users(),
                cpu_share=self._cpu_share(),
                cpu_limit_share=self._cpu_limit_share,
                behind_s=self.behind_s,
                between=lambda: gevent.sleep(BREATH_S),
            )
        return self._state

    def note_health(self) -> None:
        """Note this process's health of the moment, which what is judged during the run depends on."""
        self._run.health[self._own_health.process] = self._own_health.health()

    @property
    def behind_s(self) -> int:
        """How many of the last seconds are not known to be whole."""
        return REPORTED_AFTER_S if isinstance(self._runner, MasterRunner) else 0

    def _users(self) -> int:
        return self._run.user_counts[-1][1] if self._run.user_counts else 0

    def _cpu_share(self) -> float | None:
        """CPU of the busiest process that makes load; of workers as they tell Locust every few seconds."""
        if not isinstance(self._runner, MasterRunner):
            return self._own_health.recent_cpu_share()
        busiest = max((worker.cpu_usage for worker in self._runner.clients.values()), default=0)
        return busiest / 100 if busiest else None
