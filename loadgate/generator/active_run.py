"""A run in progress in one process, with its health sampler, arrivals and controller."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loadgate.generator.generators import Generators
from loadgate.generator.health import HealthSampler
from loadgate.generator.live_state_cache import LiveStateCache
from loadgate.generator.pacer import Pacer, activate
from loadgate.generator.resource_sampling import ResourceSampling
from loadgate.generator.run_controller import RunController
from loadgate.live.state import LiveState
from loadgate.recorder import OUTSIDE
from loadgate.run.health import HealthLimits
from loadgate.run.judgement import EndedBy
from loadgate.run.state import Run


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run in progress in one process. A worker uses this class directly, because the master controls the run."""

    run: Run
    sampler: HealthSampler
    pacer: Pacer | None
    """The source of arrivals in an open model. `None` in a closed model."""

    @classmethod
    def begin(cls, run: Run, process: str, limits: HealthLimits, *, generates_load: bool, is_open: bool) -> ActiveRun:
        """Start recording and sampling. `generates_load` says whether this process sends requests itself."""
        sampler = HealthSampler(process, limits, run.record_lag if generates_load else None)
        sampler.start()
        # Each process has its own sequence of random numbers.
        seed = None if run.plan.seed is None else f"{run.plan.seed} {process}"
        if seed is not None:
            random.seed(seed)
        pacer = Pacer(run.recorder.count, run.count_late, run.record_lag, seed) if is_open else None
        activate(pacer)
        if pacer is not None:
            run.enter_stage(OUTSIDE)
        return ActiveRun(run, sampler, pacer)

    def load_changes(self) -> None:
        """Handle the start of a change of the number of users."""

    def load_is_up(self) -> None:
        """Handle the end of a change of the number of users."""

    def end_load(self, stop_timeout_s: float, must_hurry: Callable[[], bool]) -> None:  # noqa: ARG002 - see JudgedRun
        """Stop the arrivals."""
        if self.pacer is not None:
            self.pacer.stop()

    def live_state(self) -> LiveState | None:
        """Return the live state. `None` except in the process that determines the verdict."""
        return None

    def take_report(self, *, final: bool) -> dict[str, Any]:
        """Return everything recorded since the last report, for the master. The final report ends the sampling."""
        self._note_health()
        if final:
            self.sampler.stop()
        arrivals = self.pacer.handed_out if self.pacer is not None else 0
        return {"arrivals": arrivals, **self.run.take_report(final=final)}

    def close(self) -> None:
        """Stop sampling before the verdict."""
        self._note_health()
        self.sampler.stop()

    def _note_health(self) -> None:
        health = self.sampler.health()
        self.run.health[self.sampler.process] = health.model_copy(
            update={"clock": self.run.clock.record(), "unsent": dict(self.run.unsent)}
        )


@dataclass(frozen=True, slots=True)
class JudgedRun(ActiveRun):
    """A run in the process that determines its verdict."""

    live_states: LiveStateCache
    controller: RunController
    generators: Generators
    resources: ResourceSampling

    def load_changes(self) -> None:
        """Start the control of the run, or enter the ramp."""
        self.controller.load_changes()

    def load_is_up(self) -> None:
        """Enter the steady stage, or start the arrivals."""
        self.controller.load_is_up()

    def end_load(self, stop_timeout_s: float, must_hurry: Callable[[], bool]) -> None:
        """Stop the arrivals, and wait for the final reports of other processes."""
        ActiveRun.end_load(self, stop_timeout_s, must_hurry)
        self.generators.finish(self.run, stop_timeout_s, must_hurry)

    def live_state(self) -> LiveState | None:
        """Return the live state."""
        return self.live_states.state()

    def close(self) -> None:
        """Stop the control of the run and the sampling."""
        self.controller.stop()
        self.resources.finish(is_interrupted=self.run.ended_by is EndedBy.INTERRUPT)
        self.live_states.finish()
        ActiveRun.close(self)
