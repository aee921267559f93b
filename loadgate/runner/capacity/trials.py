"""Read from a run what the search needs, and what the report shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from loadgate.analysis.capacity.little import Flow
from loadgate.analysis.capacity.trial import Trial, Void
from loadgate.recorder import OUTSIDE, OVERALL, RAMP, Recorder
from loadgate.recorder.resources import LIMIT, WAIT_COUNT, WAIT_SUM, ResourceRecord
from loadgate.recorder.sketch import NS_PER_MS
from loadgate.report.capacity.document import Latencies, ResourceUse
from loadgate.run.document import RunDocument
from loadgate.run.judgement import Ending
from loadgate.runner.capacity.criteria import JudgedRule
from loadgate.runner.headless import problem_of
from loadgate.shape.arrivals import ArrivalEvent

CPU = "cpu"
NS_PER_S = 1000 * NS_PER_MS


def trial_of(document: RunDocument, rate_per_s: float, settle_s: float, rules: Sequence[JudgedRule]) -> Trial:
    """Return the measured part of a run at a rate."""
    run, recorder = document.run, document.recording.recorder()
    length_s = run.duration_s - settle_s
    ended = document.target.ended.splitlines()[0].partition(";")[0] if document.target and document.target.ended else ""
    if run.ending is Ending.ABORTED:
        ended = f"a rule stopped the run: {document.verdict.reason}"
    void = _void(document)
    if ended or void is not None or length_s < 1:
        return Trial(
            rate_per_s, max(1.0, length_s), void=None if ended else void or Void("it was too short"), ended=ended
        )
    stages = measured_stages(recorder)
    first, end = measured_span(document, settle_s)
    in_flight = _in_flight(recorder, first, end)
    if problem := _flow(recorder, first, end, in_flight).problem:
        return Trial(rate_per_s, length_s, void=Void(problem))
    counters, planned = document.counters, rate_per_s * run.duration_s
    lost = counters.get(ArrivalEvent.NEVER_STARTED, 0) + counters.get(ArrivalEvent.DROPPED, 0)
    return Trial(
        rate_per_s,
        length_s,
        {item.criterion.rule: item.seconds(recorder, stages) for item in rules},
        arrivals=recorder.totals(OVERALL, stages).requests * (end - first) / length_s,
        completions=recorder.requests_between(first, end),
        lost=min(1.0, lost / planned),
        in_flight=tuple(in_flight),
    )


def measured_stages(recorder: Recorder) -> set[str]:
    """Return the stages without the time in which the target settles."""
    return set(recorder.stages()) - {RAMP, OUTSIDE}


def measured_span(document: RunDocument, settle_s: float) -> tuple[int, int]:
    """Return the first whole second that is measured, and the one after the last."""
    run = document.run
    return math.ceil(run.started_s + settle_s), math.floor(run.started_s + run.duration_s)


def _void(document: RunDocument) -> Void | None:
    """Return why a run proves nothing. Arrivals without a free user are no reason: the target has kept the users."""
    counters = {name: number for name, number in document.counters.items() if name not in set(ArrivalEvent)}
    problem = problem_of(document.model_copy(update={"counters": counters}))
    return Void(problem.text, by_generator=not problem.is_fault) if problem.text else None


def _in_flight(recorder: Recorder, first: int, end: int) -> list[float]:
    found = [0.0] * max(0, end - first)
    for slot in recorder.in_flight(OVERALL):
        for second in range(max(first, slot.start_s), min(end, slot.start_s + slot.width_s)):
            found[second - first] = slot.mean
    return found


def _flow(recorder: Recorder, first: int, end: int, in_flight: Sequence[float]) -> Flow:
    slots = [slot for slot in recorder.time_slots(OVERALL, since_s=first) if slot.start_s < end]
    sketches = [sketch for slot in slots for sketch in (slot.totals.success, slot.totals.failure)]
    latencies_s = sum(sketch.sum_ns for sketch in sketches) / NS_PER_S
    edges = list(pairwise(in_flight))
    at_start, at_end = (max(edges[0]), max(edges[-1])) if edges else (0.0, 0.0)
    return Flow(sum(in_flight), latencies_s, at_start, at_end, _longest_s(recorder))


def _longest_s(recorder: Recorder) -> float:
    totals = recorder.totals(OVERALL)
    return max(totals.success.max_ms or 0.0, totals.failure.max_ms or 0.0) / 1000


def latencies_of(document: RunDocument) -> Latencies:
    """Return the percentiles of the successful requests of the measured part."""
    recorder = document.recording.recorder()
    success = recorder.totals(OVERALL, measured_stages(recorder)).success
    p50, p95, p99 = (success.quantile(quantile) if success.count else None for quantile in (0.5, 0.95, 0.99))
    return Latencies(p50_ms=p50, p95_ms=p95, p99_ms=p99)


def values_of(document: RunDocument, rules: Sequence[JudgedRule]) -> dict[str, float | None]:
    """Return the percentile of each rule in ms, None for failures and without requests."""
    recorder = document.recording.recorder()
    stages = measured_stages(recorder)
    found: dict[str, float | None] = {}
    for item in rules:
        success = recorder.totals(item.rule.scope, stages).success
        has_value = item.limit_ms is not None and success.count > 0
        found[item.criterion.rule] = success.quantile(item.rule.metric.quantile) if has_value else None
    return found


def resources_of(document: RunDocument, settle_s: float) -> list[ResourceUse]:
    """Return how much of its CPU, its pools and its waits each resource of the target used in the measured part."""
    record, span = document.resources.record(), measured_span(document, settle_s)
    found = []
    for resource in record.resources():
        quantities = set(record.quantities(resource))
        for quantity in sorted(quantities):
            if quantity == CPU or f"{quantity}{LIMIT}" in quantities:
                used, limit = (_mean(record, resource, name, span) for name in (quantity, f"{quantity}{LIMIT}"))
                if used is not None:
                    found.append(ResourceUse(resource=resource, quantity=quantity, used=used, limit=limit))
            if quantity.endswith(WAIT_SUM):
                name = quantity.removesuffix(WAIT_SUM)
                waited, waits = (_mean(record, resource, name + end, span) for end in (WAIT_SUM, WAIT_COUNT))
                if waited is not None and waits:
                    found.append(ResourceUse(resource=resource, quantity=name, wait_ms=1000 * waited / waits))
    return found


def _mean(record: ResourceRecord, resource: str, quantity: str, span: tuple[int, int]) -> float | None:
    series = record.series(resource, quantity)
    if series is None:
        return None
    values = series.between(*span).values
    return sum(values) / len(values) if values else None
