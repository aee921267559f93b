"""Sample the CPU use and the event-loop lag of this generator process. `loadgate.run.health` defines the limits."""

from __future__ import annotations

import inspect
import time
from collections import deque
from collections.abc import Callable

import gevent

from loadgate.generator.lost_cpu_time import CpuReader, LostCpuTime
from loadgate.recorder import LatencySketch
from loadgate.run.document.environment import GeneratorRecord
from loadgate.run.health import CPU_WINDOW_S, HealthLimits, saturation

LAG_INTERVAL_S = 0.05
WAKE_UP = "wake-up"
"""The name under which event-loop lag is recorded. Each interval has one record: the length of its stall."""


def prepare_stack_inspection() -> None:
    """Inspect the call stack once, before this process generates load or its master expects its heartbeats.

    The first inspection reads the sources of all modules. Locust inspects the stack when it stops a run. Without this
    call, that would delay the last responses by 20 ms. On a busy machine, it takes seconds.
    """
    inspect.stack()


class HealthSampler:
    """A sampler of this process. It runs in a separate greenlet between `start` and `stop`."""

    def __init__(self, process: str, limits: HealthLimits, record_lag: Callable[[str, float], None] | None) -> None:
        self.process = process
        self._limits = limits
        self._record_lag = record_lag
        self._lags = LatencySketch()
        self._lost = LostCpuTime(CpuReader())
        self._cpu_peak = 0.0
        self._began = (time.perf_counter(), time.process_time())
        self._window: deque[tuple[float, float]] = deque([self._began])
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Start sampling. Call it before the load starts."""
        self._lost.note(time.perf_counter())
        self._greenlet = gevent.spawn(self._sample)

    def stop(self) -> None:
        """Stop sampling. `health` does not change afterwards."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def recent_cpu_share(self) -> float | None:
        """Return the mean CPU use over the last `CPU_WINDOW_S`, as a share of one core. `None` without samples."""
        (began, cpu_then), (now, cpu_now) = self._window[0], self._window[-1]
        return (cpu_now - cpu_then) / (now - began) if now > began else None

    def health(self) -> GeneratorRecord:
        """Return the health so far."""
        wall, cpu = time.perf_counter(), time.process_time()
        elapsed = wall - self._began[0]
        mean = (cpu - self._began[1]) / elapsed if elapsed > 0 else 0.0
        health = GeneratorRecord(
            process=self.process,
            cpu_mean_share=round(mean, 4),
            cpu_peak_share=round(max(self._cpu_peak, mean if elapsed < CPU_WINDOW_S else 0.0), 4),
            lag_p99_ms=round(self._lags.quantile(0.99) or 0.0, 3),
            lag_max_ms=round(self._lags.max_ms or 0.0, 3),
            lag_samples=self._lags.count,
            cpu_limit_share=self._limits.cpu_share,
            lag_limit_ms=self._limits.lag_p99_ms,
            throttled_peak_share=_rounded(self._lost.throttled_share()),
            steal_peak_share=_rounded(self._lost.stolen_share()),
            throttled_limit_share=self._limits.throttled_share,
            problem=None,
        )
        return health.model_copy(update={"problem": saturation(health)})

    def _sample(self) -> None:
        while True:
            asleep = time.perf_counter()
            gevent.sleep(LAG_INTERVAL_S)
            now = time.perf_counter()
            self._note_lag(max(0.0, now - asleep - LAG_INTERVAL_S))
            if now - self._window[-1][0] >= 1:
                self._note_cpu(now)

    def _note_lag(self, late_s: float) -> None:
        self._lags.record(late_s * 1000)
        if self._record_lag is None:
            return
        # The stall may have started before the wake-up was due. That part is not measured. It is assumed to be as long
        # as the measured lag, but at most one interval. The stall is recorded once for each interval that it covers, so
        # that its share of the records equals its share of the time.
        stall_ms = (late_s + min(late_s, LAG_INTERVAL_S)) * 1000
        for _ in range(1 + int(late_s / LAG_INTERVAL_S)):
            self._record_lag(WAKE_UP, stall_ms)

    def _note_cpu(self, now: float) -> None:
        self._lost.note(now)
        self._window.append((now, time.process_time()))
        while len(self._window) > 2 and now - self._window[1][0] >= CPU_WINDOW_S:
            self._window.popleft()
        (began, cpu_then), (_, cpu_now) = self._window[0], self._window[-1]
        if now - began >= CPU_WINDOW_S:
            self._cpu_peak = max(self._cpu_peak, (cpu_now - cpu_then) / (now - began))


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
