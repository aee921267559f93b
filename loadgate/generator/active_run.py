"""A run that goes on in one process, and what belongs to it there: samplers, arrivals, and who conducts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loadgate.generator.conductor import Conductor
from loadgate.generator.generators import Generators
from loadgate.generator.health import HealthSampler
from loadgate.generator.live_board import LiveBoard
from loadgate.generator.pacer import Pacer, activate
from loadgate.live.state import LiveState
from loadgate.recorder import OUTSIDE
from loadgate.run.health import HealthLimits
from loadgate.run.state import Plan, Run


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run in one process. On a worker that is all there is: its master conducts and judges."""

    run: Run
    sampler: HealthSampler
    pacer: Pacer | None
    """What brings the arrivals of an open model; a closed model has none."""

    @classmethod
    def begin(cls, plan: Plan, process: str, limits: HealthLimits, *, makes_load: bool, is_open: bool) -> ActiveRun:
        """Begin to record and to sample; `makes_load` says whether this process sends requests itself."""
        run = Run(plan)
        sampler = HealthSampler(process, limits, run.record_lag if makes_load else None)
        sampler.start()
        pacer = Pacer(run.recorder.count, run.record_lag) if is_open else None
        activate(pacer)
        if pacer is not None:
            run.enter_stage(OUTSIDE)
        return ActiveRun(run, sampler, pacer)

    def load_changes(self) -> None:
        """The number of users begins to change."""

    def load_is_up(self) -> None:
        """The users that were wanted are there."""

    def end_load(self, stop_timeout_s: float, hurried: Callable[[], bool]) -> None:  # noqa: ARG002 - see JudgedRun
        """Bring no more arrivals."""
        if self.pacer is not None:
            self.pacer.stop()

    def live_state(self) -> LiveState | None:
        """Return how the run stands; only the process that judges it knows."""
        return None

    def take_report(self, *, final: bool) -> dict[str, Any]:
        """Return everything since the last report, for the master; the last one ends the sampling."""
        self._note_health()
        if final:
            self.sampler.stop()
        return self.run.take_report(final=final)

    def close(self) -> None:
        """Sample no more: the run is about to be judged."""
        self._note_health()
        self.sampler.stop()

    def _note_health(self) -> None:
        self.run.health[self.sampler.process] = self.sampler.health()


@dataclass(frozen=True, slots=True)
class JudgedRun(ActiveRun):
    """A run in the process that judges it."""

    board: LiveBoard
    conductor: Conductor
    generators: Generators

    def load_changes(self) -> None:
        """Begin to conduct the run, or mark that its load changes."""
        self.conductor.load_changes()

    def load_is_up(self) -> None:
        """Mark that the load is as it was wanted, or begin with the arrivals."""
        self.conductor.load_is_up()

    def end_load(self, stop_timeout_s: float, hurried: Callable[[], bool]) -> None:
        """Bring no more arrivals, and wait for the last figures of other processes."""
        ActiveRun.end_load(self, stop_timeout_s, hurried)
        self.generators.finish(self.run, stop_timeout_s, hurried)

    def live_state(self) -> LiveState | None:
        """Return how the run stands."""
        return self.board.state()

    def close(self) -> None:
        """Conduct and sample no more."""
        self.conductor.stop()
        ActiveRun.close(self)
