"""Scrape one URL once a second in a thread, so that a slow target does not delay other readings."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from loadgate.sampler.configuration import MetricSource
from loadgate.sampler.metrics.exposition import samples
from loadgate.sampler.metrics.quantities import Quantities
from loadgate.sampler.metrics.scrape import ScrapeError, Scraper
from loadgate.sampler.pace import Pace
from loadgate.sampler.readings import Output, Reading
from loadgate.units import duration


class MetricsWorker:
    """Scrapes one URL. Two scrapes never overlap: after a slow one, whole seconds are left out."""

    def __init__(self, url: str, bearer: str | None, sources: Sequence[MetricSource], output: Output) -> None:
        self._scraper = Scraper(url, bearer)
        self._quantities = Quantities(sources)
        self._output = output
        self._pace = Pace()
        self._due = threading.Event()
        self._must_end = False
        self._has_text = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Scrape now, unless a scrape is in progress or the last one took too much CPU time."""
        if self._pace.is_due(time.monotonic()):
            self._due.set()
        else:
            self._output.note(
                f"{self._scraper.url} is not read every second, because that would take too much CPU time"
            )

    def end(self, within_s: float) -> None:
        """Scrape a last time, and write what remains."""
        self._must_end = True
        self._due.set()
        self._thread.join(within_s)
        if self._thread.is_alive():
            self._output.note(f"the last scrape of {self._scraper.url} did not end within {duration(within_s)}")

    def forget(self) -> None:
        """Start all differences anew, because the clock was set."""
        self._quantities.forget()

    def _run(self) -> None:
        while not self._must_end:
            self._due.wait()
            try:
                with self._pace.measuring(time.monotonic()):
                    self._scrape()
            except ScrapeError as error:
                self._output.note(str(error))
            # A wake-up during the scrape is dropped. `end` sets `_must_end` first, so its wake-up is never lost.
            self._due.clear()
        self._write([*self._quantities.end()])
        if self._has_text:
            for selector, resource, quantity in self._quantities.never_seen():
                self._output.note(
                    f"{self._scraper.url} has no sample of {selector}, which {quantity!r} of {resource!r} needs"
                )
        self._scraper.close()

    def _scrape(self) -> None:
        scrape = self._scraper.scrape()
        self._has_text = True
        self._write([*self._quantities.read(scrape.at_s, samples(scrape.text, self._quantities.metrics))])
        for metric in self._quantities.split():
            self._output.note(
                f"{metric} of {self._scraper.url} falls repeatedly, so it is not measured: probably several processes "
                "answer, each with its own counters"
            )

    def _write(self, values: Sequence[tuple[int, Reading]]) -> None:
        for second in sorted({second for second, _ in values}):
            self._output.put(second, [reading for at, reading in values if at == second])
