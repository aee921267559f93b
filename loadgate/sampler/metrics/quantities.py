"""Compute the quantities of one URL from its scrapes: levels from gauges, and flows from differences of counters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from loadgate.metric_selector import Selector, parse_selector
from loadgate.sampler.configuration import MetricSource
from loadgate.sampler.flow import Flow
from loadgate.sampler.metrics.exposition import Sample
from loadgate.sampler.readings import COUNT, FLOW, LEVEL, SECONDS, Reading

MAX_FALLS = 3
"""A counter falls when its process restarts. If it falls more often within FALLS_WINDOW_S, it is not one counter."""

FALLS_WINDOW_S = 60.0

MAX_SERIES = 10_000
"""The values of missing series are kept only up to this number, in case the target changes its labels all the time."""

LIMIT = ".limit"
"""The suffix of the quantity that is the limit of another one."""


@dataclass(slots=True)
class _Gauge:
    resource: str
    quantity: str
    unit: str
    selector: Selector

    def level(self, found: list[Sample]) -> Reading | None:
        """Return the sum of the series. `None` if there is none, or one is not a finite number."""
        total = sum({sample.series: sample.value for sample in found}.values())
        if not found or not math.isfinite(total):
            return None
        return Reading(self.resource, self.quantity, LEVEL, self.unit, total)


@dataclass(slots=True)
class _Counter:
    resource: str
    quantity: str
    unit: str
    selector: Selector
    flow: Flow = field(default_factory=Flow)
    falls: list[float] = field(default_factory=list)
    is_split: bool = False
    """Whether several processes answer with counters of their own."""
    _last_s: float | None = None
    _values: dict[str, float] = field(default_factory=dict)

    def increase(self, at_s: float, found: list[Sample]) -> Iterator[tuple[int, Reading]]:
        """Return the values of the seconds that this scrape completes. A counter is finite and not negative."""
        values = {sample.series: sample.value for sample in found}
        if self.is_split or not all(0 <= value < math.inf for value in values.values()):
            return
        start_s, self._last_s = self._last_s, at_s
        if start_s is not None and start_s < at_s and (values or self._values):
            grown = 0.0
            for series, value in values.items():
                # A series without a previous value was created since the last scrape, and starts at 0.
                before = self._values.get(series, 0.0)
                grown += value - before if value >= before else value
            if any(value < self._values.get(series, 0.0) for series, value in values.items()):
                self.falls = [*(fall_s for fall_s in self.falls if at_s - fall_s < FALLS_WINDOW_S), at_s]
                self.is_split = len(self.falls) > MAX_FALLS
            for second, rate in self.flow.add(start_s, at_s, grown):
                yield second, self.reading(rate)
        # A series that is missing in one scrape keeps its value.
        self._values |= values
        if len(self._values) > MAX_SERIES:
            self._values = values

    def reading(self, rate: float) -> Reading:
        return Reading(self.resource, self.quantity, FLOW, self.unit, rate)

    def forget(self) -> None:
        """Start anew, because the clock was set."""
        self._last_s = None


class Quantities:
    """The quantities of one URL."""

    def __init__(self, sources: Sequence[MetricSource]) -> None:
        self._gauges: list[_Gauge] = []
        self._counters: list[_Counter] = []
        for source in sources:
            self._add(source)
        self.metrics = sorted({part.selector.metric for part in self._parts()})
        """The names of the metrics that are read."""
        self._seen: set[Selector] = set()
        self._optional = {(source.resource, source.quantity) for source in sources if source.optional}
        self._optional |= {(source.resource, source.wait_quantity) for source in sources if source.optional}

    def _add(self, source: MetricSource) -> None:
        name, quantity, unit = source.resource, source.quantity, source.unit
        if source.used is not None:
            self._gauges.append(_Gauge(name, quantity, unit, parse_selector(source.used)))
        if source.limit is not None:
            self._gauges.append(_Gauge(name, f"{quantity}{LIMIT}", unit, parse_selector(source.limit)))
        if source.rate is not None:
            self._counters.append(_Counter(name, quantity, unit, parse_selector(source.rate)))
        if source.wait is not None:
            wait = parse_selector(source.wait)
            for suffix, wait_unit in (("sum", SECONDS), ("count", COUNT)):
                selector = Selector(f"{wait.metric}_{suffix}", wait.matchers)
                self._counters.append(_Counter(name, f"{source.wait_quantity}.{suffix}", wait_unit, selector))

    def read(self, at_s: float, samples: Iterable[Sample]) -> Iterator[tuple[int, Reading]]:
        """Return (epoch second, value) of everything that a scrape at `at_s` shows."""
        by_metric: dict[str, list[Sample]] = {}
        for sample in samples:
            by_metric.setdefault(sample.metric, []).append(sample)
        for gauge in self._gauges:
            if (level := gauge.level(self._selected(gauge.selector, by_metric))) is not None:
                yield int(at_s), level
        for counter in self._counters:
            yield from counter.increase(at_s, self._selected(counter.selector, by_metric))

    def _selected(self, selector: Selector, by_metric: dict[str, list[Sample]]) -> list[Sample]:
        found = [sample for sample in by_metric.get(selector.metric, ()) if selector.matches(sample.labels)]
        if found:
            self._seen.add(selector)
        return found

    def end(self) -> Iterator[tuple[int, Reading]]:
        """Return the values of the last second."""
        for counter in self._counters:
            for second, rate in counter.flow.end():
                yield second, counter.reading(rate)

    def forget(self) -> None:
        """Start all differences anew, because the clock was set."""
        for counter in self._counters:
            counter.forget()

    def split(self) -> list[str]:
        """Return the names of counters that fall again and again."""
        return [counter.selector.metric for counter in self._counters if counter.is_split]

    def never_seen(self) -> list[tuple[str, str, str]]:
        """Return (metric, resource, quantity) of the selectors that selected no sample, apart from optional ones.

        A limit need not exist.
        """
        return [
            (part.selector.metric, part.resource, part.quantity)
            for part in self._parts()
            if part.selector not in self._seen
            and not part.quantity.endswith(LIMIT)
            and (part.resource, part.quantity.removesuffix(".sum").removesuffix(".count")) not in self._optional
        ]

    def _parts(self) -> list[_Gauge | _Counter]:
        return [*self._gauges, *self._counters]
