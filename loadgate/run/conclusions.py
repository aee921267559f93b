"""Derive the conclusions of a finished run: growth of resources, recoveries, and explanations of slow episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loadgate.analysis.causes.attribution import Attribution, explain
from loadgate.analysis.causes.text import episode_sentence
from loadgate.analysis.causes.usual import MeasuredTarget
from loadgate.analysis.growth.growth import growth_between
from loadgate.analysis.growth.judgement import doubt_or_size
from loadgate.analysis.growth.kind import HEAP_IN_USE, PYTHON_BLOCKS, growth_kind
from loadgate.analysis.growth.text import growth_sentence, kind_sentence
from loadgate.analysis.quantity_text import subject
from loadgate.analysis.recovery.leftover import left_over, left_over_sentence
from loadgate.analysis.recovery.recovery import Recovery, RecoveryState, recovery
from loadgate.analysis.recovery.settling import settling, settling_sentences
from loadgate.analysis.recovery.text import recovery_sentences
from loadgate.analysis.traffic import Span, StageSpans, Traffic, stage_spans
from loadgate.recorder import OVERALL, RAMP, Recorder
from loadgate.recorder.resources import LIMIT, ColumnKind, ResourceRecord, ResourceSeries
from loadgate.resource_names import CPU_WAIT
from loadgate.rules import RuleResult
from loadgate.rules.whole_run import MEMORY, WholeRun, companions, requests_in
from loadgate.run.breaches import breaches
from loadgate.run.document.conclusions import ConclusionsRecord, EpisodeRecord, GrowthRecord, RecoveryRecord
from loadgate.shape.profile import LoadProfile

MIN_RUSH = 1.5
"""A stage is a rush if its load is at least this multiple of the loads of the stages before and after it."""

_COMPANIONS = {PYTHON_BLOCKS, HEAP_IN_USE, "heap_held", "pss", "cgroup_memory"}
"""Quantities that only help to explain the growth of `memory`."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What the conclusions are derived from."""

    profile: LoadProfile
    recorder: Recorder
    target: MeasuredTarget
    facts: WholeRun

    @property
    def steady(self) -> Span:
        """Return the load without the first ramp."""
        return Span(*self.facts.steady_s)

    def spans_around(self, stage: str) -> StageSpans | None:
        """Return the spans around a stage. `None` if the run has none."""
        spans = stage_spans(self.facts.stages, stage, self.facts.load_s[1])
        return None if isinstance(spans, str) else spans

    def traffic(self, scope: str) -> Traffic:
        """Return the requests of a scope."""
        return Traffic(scope, self.recorder.time_slots(scope), in_flight=self.recorder.in_flight(scope))

    def scopes(self) -> list[Traffic]:
        """Return the requests of each group, or of all requests if there are no groups."""
        groups = [group for group in self.recorder.groups() if not self.recorder.is_measure(group)]
        return [self.traffic(scope) for scope in groups or [OVERALL]]


def conclusions(run: FinishedRun, results: Sequence[RuleResult] = ()) -> ConclusionsRecord:
    """Return what a finished run shows in addition to its rules, whose results are `results`."""
    scopes = run.scopes() if run.recorder.totals().requests else []
    return ConclusionsRecord(
        growth=_growth(run),
        recoveries=_recoveries(run, scopes),
        left_over=_left_over(run),
        episodes=_episodes(run, scopes),
        breaches=breaches(run.recorder, results, run.facts.load_s[0]),
    )


def _growth(run: FinishedRun) -> list[GrowthRecord]:
    record, steady_s = run.target.record, run.facts.steady_s
    requests = requests_in(run.recorder, steady_s)
    found = []
    for series in _shown_series(record):
        column, fitted = series.column, growth_between(series, steady_s)
        if fitted is None:
            continue
        kind = None
        if column.quantity == MEMORY:
            kind = growth_kind(fitted, companions(record, column.resource, steady_s))
        sentence = growth_sentence(subject(column), fitted, requests=requests)
        found.append(
            GrowthRecord(
                resource=column.resource,
                quantity=column.quantity,
                unit=column.unit,
                per_s=fitted.per_s,
                low_per_s=fitted.low_per_s,
                high_per_s=fitted.high_per_s,
                visible_per_s=fitted.visible_per_s,
                kind=kind.cause if kind is not None else None,
                doubt=doubt_or_size(fitted),
                sentence=f"{sentence} {kind_sentence(kind)}" if kind is not None else sentence,
            )
        )
    return found


def _recoveries(run: FinishedRun, scopes: Sequence[Traffic]) -> list[RecoveryRecord]:
    facts = run.facts
    if not run.profile.stages:
        return _settlings(run, scopes)
    return [
        _recovery_record(recovery(traffic, facts.stages, stage, facts.load_s[1], unreliable=facts.unreliable))
        for stage in rush_stages(run.profile)
        for traffic in scopes
    ]


def rush_stages(profile: LoadProfile) -> list[str]:
    """Return the stages whose load is much higher than that of the stages before and after."""
    loads = [float(stage.users if stage.rate is None else stage.rate) for stage in profile.stages]  # type: ignore[arg-type]
    return [
        profile.stage_names[at]
        for at in range(1, len(loads) - 1)
        if loads[at] >= MIN_RUSH * max(loads[at - 1], loads[at + 1])
    ]


def _recovery_record(found: Recovery) -> RecoveryRecord:
    return RecoveryRecord(
        scope=found.scope,
        stage=found.stage,
        state=found.state,
        time_s=found.time_s,
        window_s=float(found.window_s),
        peak_ms=found.peak_ms,
        sentences=recovery_sentences(found),
    )


def _settlings(run: FinishedRun, scopes: Sequence[Traffic]) -> list[RecoveryRecord]:
    """Return how each scope settled after the ramp of a run without stages, if it has enough requests to tell."""
    rush, steady = Span(run.facts.load_s[0], run.steady.start_s), run.steady
    if run.facts.unreliable or run.profile.rate is not None or rush.length_s <= 0:
        return []
    found = [settling(traffic, rush, steady) for traffic in scopes]
    return [
        RecoveryRecord(
            scope=item.scope,
            stage=RAMP,
            state=item.state,
            time_s=item.time_s,
            window_s=float(item.window_s),
            peak_ms=item.peak_ms,
            sentences=settling_sentences(item, rush, steady),
        )
        for item in found
        if item.state is not RecoveryState.UNDECIDED
    ]


def _left_over(run: FinishedRun) -> list[str]:
    shown = _shown_series(run.target.record)
    return [
        left_over_sentence(item, stage)
        for stage in rush_stages(run.profile)
        if (spans := run.spans_around(stage)) is not None
        for item in left_over(shown, spans)
        if item.is_clear
    ]


def _episodes(run: FinishedRun, scopes: Sequence[Traffic]) -> list[EpisodeRecord]:
    if run.facts.unreliable or not scopes:
        return []
    around = (run.spans_around(stage) for stage in rush_stages(run.profile))
    before = next((spans.before for spans in around if spans is not None), None)
    groups = [traffic for traffic in scopes if traffic.scope != OVERALL]
    found = explain(run.traffic(OVERALL), groups, run.steady, run.target, before)
    return [_episode_record(item, run.facts.load_s[0]) for item in found]


def _episode_record(found: Attribution, started_s: float) -> EpisodeRecord:
    explained_by, cause = _explanation(found)
    return EpisodeRecord(
        scope=found.episode.scope,
        start_s=found.episode.span.start_s,
        end_s=found.episode.span.end_s,
        added_ms=found.episode.added_ms,
        explained_by=explained_by,
        cause=cause,
        share=found.cause.share if found.cause is not None else None,
        sentence=episode_sentence(found, started_s),
    )


def _explanation(found: Attribution) -> tuple[Literal["wait", "cpu", "nothing"], str | None]:
    if found.cause is not None:
        return "wait", " ".join(found.cause.wait.key)
    if found.starved is not None:
        return "wait", f"{found.starved.resource} {CPU_WAIT}"
    if found.saturated is not None:
        return "cpu", found.saturated.resource
    return "nothing", None


def _shown_series(record: ResourceRecord) -> list[ResourceSeries]:
    """Return the levels without limits and without those that only help to explain another level."""
    columns = [
        column
        for column in record.columns
        if column.kind is ColumnKind.LEVEL
        and column.quantity not in _COMPANIONS
        and not column.quantity.endswith(LIMIT)
    ]
    found = (record.series(column.resource, column.quantity) for column in columns)
    return [series for series in found if series is not None]
