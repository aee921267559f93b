"""The loop of the sampler: it measures at the start of each second, and carries out commands between measurements."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from loadgate.sampler.commands import Commands
from loadgate.sampler.configuration import Configuration, MetricSource
from loadgate.sampler.processes.linux import LinuxSystem
from loadgate.sampler.processes.machine import MachineSampler
from loadgate.sampler.processes.sampling import ProcessSampler
from loadgate.sampler.readings import BYTES, LEVEL, Output, Reading

if TYPE_CHECKING:
    from loadgate.sampler.metrics.worker import MetricsWorker
    from loadgate.sampler.processes.system import System

CLOCK_STEP_S = 0.5
"""If the clock is set by more than this, differences to earlier readings are meaningless."""

LAST_SCRAPE_S = 2.0
"""Time for the last scrape."""


class SampleLoop:
    """Measures until the commands are closed."""

    def __init__(self, configuration: Configuration, commands: Commands, output: Output) -> None:
        self._commands = commands
        self._output = output
        self._collect = configuration.collect
        is_here = configuration.pid is not None or configuration.port is not None
        system = _system()
        self._processes = ProcessSampler(configuration, system, os.getpid(), output.note)
        self._machine = MachineSampler(system) if is_here else None
        self._workers = _workers(configuration.metrics, output)
        self._offset_s = time.time() - time.monotonic()
        self._began = time.monotonic(), time.process_time()

    def run(self) -> None:
        """Measure at the start of each second, and a last time when the commands are closed."""
        self._sample()
        while not self._commands.is_closed:
            now_s = time.time()
            command = self._commands.next(timeout_s=int(now_s) + 1 - now_s)
            if command == "collect":
                self._measure_collected()
            elif not command and not self._commands.is_closed and time.time() >= int(now_s) + 1:
                self._sample()
        self._sample(is_last=True)
        for worker in self._workers:
            worker.end(LAST_SCRAPE_S)
        self._put(self._processes.end())
        if self._machine is not None:
            self._put(self._machine.end())
        elapsed_s = time.monotonic() - self._began[0]
        self._output.end(round((time.process_time() - self._began[1]) / elapsed_s, 6))

    def _sample(self, *, is_last: bool = False) -> None:
        if abs(time.time() - time.monotonic() - self._offset_s) > CLOCK_STEP_S:
            self._forget()
        now_s = time.time()
        for worker in self._workers:
            worker.wake()
        self._put(self._processes.sample(now_s, is_last=is_last))
        if self._machine is not None:
            self._put(self._machine.sample(now_s))

    def _forget(self) -> None:
        self._offset_s = time.time() - time.monotonic()
        self._processes.forget()
        if self._machine is not None:
            self._machine.forget()
        for worker in self._workers:
            worker.forget()

    def _measure_collected(self) -> None:
        """Make the target collect garbage, and measure the memory that remains."""
        if self._collect is not None:
            from loadgate.sampler.metrics.scrape import ScrapeError, Scraper  # noqa: PLC0415 - see _workers

            scraper = Scraper(self._collect)
            try:
                scraper.scrape()
                self._output.put(
                    int(time.time()),
                    [Reading(part, "memory.collected", LEVEL, BYTES, size) for part, size in self._processes.memory()],
                )
            except ScrapeError as error:
                self._output.note(f"the memory after garbage collection was not measured: {error}")
            finally:
                scraper.close()
        self._output.done("collect")

    def _put(self, values: Iterable[tuple[int, Reading]]) -> None:
        by_second: dict[int, list[Reading]] = {}
        for second, reading in values:
            by_second.setdefault(second, []).append(reading)
        for second, readings in sorted(by_second.items()):
            self._output.put(second, readings)


def _system() -> System:
    if sys.platform == "linux":
        return LinuxSystem()
    from loadgate.sampler.processes.portable import PortableSystem  # noqa: PLC0415 - imports psutil, which takes time

    return PortableSystem()


def _workers(sources: Iterable[MetricSource], output: Output) -> list[MetricsWorker]:
    """Return a worker for each URL."""
    by_url: dict[tuple[str, str | None], list[MetricSource]] = {}
    for source in sources:
        by_url.setdefault((source.url, source.bearer), []).append(source)
    if not by_url:
        return []
    # The HTTP client takes 30 ms to import, so it is imported only if there are metrics.
    from loadgate.sampler.metrics.worker import MetricsWorker  # noqa: PLC0415

    return [MetricsWorker(url, bearer, group, output) for (url, bearer), group in by_url.items()]
