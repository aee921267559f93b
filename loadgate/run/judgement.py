"""Derive the verdict and the exit code from the measurements and the end of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from loadgate.exit_codes import ExitCode
from loadgate.recorder import MAX_NAMES, OTHER_NAMES, Recorder
from loadgate.recorder.resources import ResourceRecord
from loadgate.rules import EvaluationContext, RecorderView, Rule, RuleOutcome, RuleResult, Verdict, WholeRun, evaluate
from loadgate.run.undeclared_events import find_undeclared_events
from loadgate.shape.arrivals import ArrivalEvent
from loadgate.units import count, duration

SILENCE_S = 3.0
"""The verdict has a note if no request succeeded for this long before the end, and some requests failed."""

UNSENT = "unsent: "
"""Prefix of the counters of requests that were not sent because the load generator ran out of a resource."""

MANY_NAMES = 200
"""A run with more request names gets a note, because names probably contain ids or query strings."""

CUT_OFF = "cut_off"
"""Counter of the requests that were in flight when the run was interrupted."""

INTERRUPTED = "the run was interrupted"
"""Start of the note on an interrupted run."""


class Ending(StrEnum):
    """The way in which a run ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    """Stopped early by Ctrl-C, SIGTERM or the stop button of the web UI."""
    ABORTED = "aborted"
    """Stopped early by a rule with `abort`."""


class EndedBy(StrEnum):
    """The cause of the end of a run's load."""

    TIME = "time"
    SHAPE = "shape"
    """The suite's LoadTestShape ended."""
    SUITE = "suite"
    """The code of the suite stopped the run."""
    RULE = "rule"
    INTERRUPT = "interrupt"
    """A signal, the stop button of the web UI, or the loss of the last worker."""

    @property
    def ending(self) -> Ending:
        """Return how the run ended. If the suite or its shape stops a run, it is completed."""
        return {EndedBy.RULE: Ending.ABORTED, EndedBy.INTERRUPT: Ending.INTERRUPTED}.get(self, Ending.COMPLETED)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts about a finished run in addition to its requests."""

    ending: Ending
    load_s: tuple[float, float]
    """Epoch seconds of the start and the end of the load."""
    planned_s: float | None
    exceptions: int = 0
    """Number of exceptions that user code raised outside of a request."""
    first_exception: str = ""
    rejected_samples: int = 0
    """Number of records that cannot be true."""
    first_rejected_sample: str = ""
    incomplete: tuple[str, ...] = ()
    """Sentences on workers whose load or measurements are incomplete."""
    remarks: tuple[str, ...] = ()
    """Sentences for the reader of the report that do not change the verdict."""
    saturated: str | None = None
    unsent_by: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The number of unsent requests by process and by the resource that it ran out of."""
    lags: Recorder | None = None
    """The event-loop lag of the load generator."""
    aborted_by: RuleResult | None = None
    """The failed result that stopped the run."""
    fewer_users: str = ""
    """A clause with the number of users, if the run was started with fewer than its profile has."""
    groups_without_users: frozenset[str] = frozenset()
    """Groups for which this run was started without users."""
    request_types: frozenset[str] = frozenset()
    """Types of request events that the suite declares as requests or as measures."""
    stages: Sequence[tuple[float, str]] = ()
    """(start in epoch seconds, stage), ascending."""
    resources: ResourceRecord = field(default_factory=ResourceRecord)
    """The resources of the target."""

    @property
    def abort_reason(self) -> str:
        """Return a sentence that says which rule stopped the run, and why."""
        return f"{self.aborted_by.rule}: {self.aborted_by.reason}" if self.aborted_by is not None else ""

    def context(self) -> EvaluationContext:
        """Return the facts that the evaluation of rules needs."""
        return EvaluationContext(
            load_s=self.load_s,
            saturated=self.saturated,
            lags=self.lags,
            every_request_decides=bool(self.fewer_users),
            whole_run=self.whole_run(),
        )

    def whole_run(self) -> WholeRun:
        """Return the facts that rules need which are known only at the end."""
        unreliable = f"the load generator was saturated ({self.saturated})" if self.saturated else ""
        return WholeRun(self.resources, self.stages, self.load_s, unreliable)

    def applicable(self, rules: Sequence[Rule], view: RecorderView) -> list[Rule]:
        """Return the rules that apply to the run.

        These are all except those on the capacity, and those of groups for which it had no users.
        """
        return [
            rule
            for rule in rules
            if not rule.needs_search
            and (rule.scope not in self.groups_without_users or view.totals(rule.scope).requests)
        ]


def judge(rules: Sequence[Rule], recorder: Recorder, facts: RunFacts) -> Verdict:
    """Evaluate the rules. An invalidating condition turns a pass into inconclusive and is always one of the notes."""
    conditions = _invalidating_conditions(facts, recorder.counters())
    applicable = facts.applicable(rules, recorder)
    undeclared = find_undeclared_events(recorder, facts.request_types)
    undeclared_note = undeclared.note if undeclared is not None else ""
    remarks = [
        note for note in (target_silence(recorder), undeclared_note, names_note(recorder), *facts.remarks) if note
    ]
    reduced = _reduced_run_notes(rules, applicable, facts)
    notes = (*conditions, *remarks, *cut_off_note(recorder.counters()), *reduced)
    confirmed = recorder.without(undeclared.undeclared_types) if undeclared is not None else None
    verdict = evaluate(applicable, recorder, replace(facts.context(), confirmed_requests=confirmed))
    verdict = replace(verdict, notes=notes)
    aborted_by, undetermined = facts.aborted_by, [item.rule for item in verdict.results if item.undetermined]
    if aborted_by is not None and aborted_by.rule not in undetermined and verdict.outcome is not RuleOutcome.FAIL:
        # The rule failed during the run. The final evaluation can miss that, because a stopped run has less data.
        results = tuple(aborted_by if item.rule == aborted_by.rule else item for item in verdict.results)
        return replace(verdict, outcome=RuleOutcome.FAIL, results=results, reason=facts.abort_reason)
    if conditions and verdict.outcome is RuleOutcome.PASS:
        return replace(verdict, outcome=RuleOutcome.INCONCLUSIVE, reason=f"{verdict.reason}, but {conditions[0]}")
    return verdict


def exit_code(outcome: RuleOutcome) -> ExitCode:
    """Return the exit code of an outcome."""
    return ExitCode[outcome.name]


def target_silence(recorder: Recorder) -> str | None:
    """Return a sentence on the time without successful requests at the end of the run. `None` if it is short."""
    span_s = recorder.span_s()
    if span_s is None:
        return None
    # Fast path: most runs end with a successful request. All slots of a day take seconds.
    latest = recorder.time_slots(since_s=int(span_s[1] - SILENCE_S))
    if any(slot.totals.success.requests for slot in latest):
        return None
    slots = recorder.time_slots()
    if not slots:
        return None
    end_s = slots[-1].start_s + slots[-1].width_s
    last_good_s = max((slot.start_s + slot.width_s for slot in slots if slot.totals.success.requests), default=None)
    failures = sum(slot.totals.failures for slot in slots if last_good_s is None or slot.start_s >= last_good_s)
    if last_good_s is None:
        return f"none of the {count(failures)} requests succeeded{_last_error(recorder)}"
    if end_s - last_good_s < SILENCE_S or not failures:
        return None
    return (
        f"no request succeeded in the last {duration(end_s - last_good_s)}: "
        f"{count(failures)} requests failed{_last_error(recorder)}"
    )


def arrival_notes(counters: Mapping[str, int]) -> list[str]:
    """Return sentences on arrivals of an open model that started no request. Empty if there are none.

    Late arrivals are not listed, because their response times include the delay.
    """
    of_lost_workers = counters.get(ArrivalEvent.OF_LOST_WORKERS, 0)
    never, dropped = counters.get(ArrivalEvent.NEVER_STARTED, 0), counters.get(ArrivalEvent.DROPPED, 0)
    lost = (
        f"{count(of_lost_workers)} arrivals never started because a worker was lost, away or late, so the load was "
        "lower than planned"
    )
    unserved = (
        f"{count(never - of_lost_workers)} arrivals never started and {count(dropped)} were dropped because no user "
        "was free, so the load was lower than planned; use more --users if the target was fast enough"
    )
    return [
        *([lost] if of_lost_workers else []),
        *([unserved] if never > of_lost_workers or dropped else []),
    ]


def cut_off_note(counters: Mapping[str, int]) -> list[str]:
    """Return a sentence on the requests that the interrupt cut off. Empty if there are none."""
    number = counters.get(CUT_OFF, 0)
    requests = "1 request; it is" if number == 1 else f"{count(number)} requests; they are"
    return [f"the interrupt cut off {requests} not counted as failed or as successful"] if number else []


def _reduced_run_notes(rules: Sequence[Rule], applicable: Sequence[Rule], facts: RunFacts) -> list[str]:
    """Return sentences on how a run with fewer users or groups is judged, and on the rules that it cannot judge."""
    fewer = f"{facts.fewer_users}: a rule with too few requests passes if every request keeps its limit"
    return [
        *([fewer] if facts.fewer_users else []),
        *(f"not judged: {rule} ({_why_not(rule)})" for rule in rules if rule not in applicable),
    ]


def _why_not(rule: Rule) -> str:
    if rule.needs_search:
        return "a run does not measure the capacity; loadgate capacity judges it"
    return f"this run has no users for {rule.scope}"


def unsent_notes(counters: Mapping[str, int], unsent_by: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a sentence on unsent requests for each resource that the load generator ran out of.

    `unsent_by` are the numbers by process and resource. A run with several processes names them.
    """
    found = [(name.removeprefix(UNSENT), number) for name, number in counters.items() if name.startswith(UNSENT)]
    return [
        f"the load generator ran out of {resource}: {count(number)} requests were never sent"
        + _by_process(resource, unsent_by)
        for resource, number in found
    ]


def _by_process(resource: str, unsent_by: Mapping[str, Mapping[str, int]]) -> str:
    parts = [f"{process}: {count(unsent[resource])}" for process, unsent in unsent_by.items() if resource in unsent]
    return f" ({', '.join(sorted(parts))})" if parts and len(unsent_by) > 1 else ""


def names_note(recorder: Recorder) -> str | None:
    """Return a sentence if there are too many request names, else `None`."""
    names = recorder.names()
    if len(names) <= MANY_NAMES:
        return None
    folded = f" (those after the first {count(MAX_NAMES)} count as {OTHER_NAMES!r})" if OTHER_NAMES in names else ""
    return (
        f"there are {count(len(names))} request names{folded}; give all requests of one kind the same name, "
        "such as self.client.get(url, name='/item/[id]')"
    )


def _last_error(recorder: Recorder) -> str:
    latest = max(recorder.errors(), key=lambda error: error.last_s, default=None)
    return f" (last error: {latest.text})" if latest else ""


def _invalidating_conditions(facts: RunFacts, counters: Mapping[str, int]) -> list[str]:
    found = []
    if facts.ending is Ending.INTERRUPTED:
        planned = f" of {duration(facts.planned_s)}" if facts.planned_s else ""
        found.append(f"{INTERRUPTED} after {duration(facts.load_s[1] - facts.load_s[0])}{planned}")
    if facts.ending is Ending.ABORTED:
        found.append(facts.abort_reason)
    if facts.exceptions:
        times = "once" if facts.exceptions == 1 else f"{facts.exceptions} times"
        found.append(f"the suite raised an exception {times} (first: {facts.first_exception})")
    if facts.rejected_samples:
        samples = "sample was" if facts.rejected_samples == 1 else "samples were"
        found.append(f"{facts.rejected_samples} {samples} rejected (first: {facts.first_rejected_sample})")
    return [*found, *facts.incomplete, *arrival_notes(counters), *unsent_notes(counters, facts.unsent_by)]
