"""From what a run measured and how it went to its verdict and exit code: a run that went wrong never passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from loadgate.exit_codes import ExitCode
from loadgate.recorder import MAX_NAMES, OTHER_NAMES, Recorder
from loadgate.rules import EvaluationContext, RecorderView, Rule, RuleOutcome, RuleResult, Verdict, evaluate
from loadgate.run.mixture import find_mixture
from loadgate.shape.arrivals import ArrivalEvent
from loadgate.units import count, duration

SILENCE_S = 3.0
"""A target that has answered nothing well for this long until the end, while requests failed, had gone away."""

UNSENT = "unsent: "
"""How the counters of requests begin that were never sent, because the load generator had run out of something."""

MANY_NAMES = 200
"""With more request names, some are most likely made of ids or query strings."""

CUT_OFF = "cut_off"
"""The counter of requests that were in flight when somebody interrupted the run."""

INTERRUPTED = "the run was interrupted"
"""How the note on an interrupted run begins."""


class Ending(StrEnum):
    """Why a run ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    """Before its time, by Ctrl-C, SIGTERM or the web UI's stop button."""
    ABORTED = "aborted"
    """By a rule with `abort`."""


class EndedBy(StrEnum):
    """Who or what ended the load of a run."""

    TIME = "time"
    SHAPE = "shape"
    """The suite's LoadTestShape came to its end."""
    SUITE = "suite"
    """The suite's own code stopped the run."""
    RULE = "rule"
    INTERRUPT = "interrupt"
    """A signal, the web UI's stop button, or the loss of the last worker."""

    @property
    def ending(self) -> Ending:
        """How the run ended then: a suite or a shape that stops a run completes it."""
        return {EndedBy.RULE: Ending.ABORTED, EndedBy.INTERRUPT: Ending.INTERRUPTED}.get(self, Ending.COMPLETED)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a finished run beside its requests."""

    ending: Ending
    load_s: tuple[float, float]
    """The epoch seconds from the start of the load until its end."""
    planned_s: float | None
    exceptions: int = 0
    """Exceptions that user code raised outside of any request."""
    first_exception: str = ""
    left_out: int = 0
    """Records that made no sense."""
    first_left_out: str = ""
    incomplete: tuple[str, ...] = ()
    """Sentences on workers whose load or figures are not whole."""
    remarks: tuple[str, ...] = ()
    """Sentences that a reader of the figures should know, and that spoil nothing."""
    saturated: str | None = None
    lags: Recorder | None = None
    """How late the load generator was at what it had to do."""
    aborted_by: RuleResult | None = None
    """The failed result that ended the run."""
    fewer_users: str = ""
    """Says how many users the run had, where it was asked to have fewer than its profile."""
    groups_left_out: frozenset[str] = frozenset()
    """Groups that had no user because of what the run was asked for."""
    request_types: frozenset[str] = frozenset()
    """Types of request events that the suite declares, as requests or as measures."""

    @property
    def abort_reason(self) -> str:
        """Which rule ended the run, and why, in a sentence."""
        return f"{self.aborted_by.rule}: {self.aborted_by.reason}" if self.aborted_by is not None else ""

    def context(self, notes: tuple[str, ...] = ()) -> EvaluationContext:
        """Return what the rules need to know of them."""
        return EvaluationContext(
            load_s=self.load_s,
            saturated=self.saturated,
            lags=self.lags,
            every_request_decides=bool(self.fewer_users),
            notes=notes,
        )

    def asked_for(self, rules: Sequence[Rule], view: RecorderView) -> list[Rule]:
        """Return the rules that the run can be asked for: all but those of groups that were left out of it."""
        return [rule for rule in rules if rule.scope not in self.groups_left_out or view.totals(rule.scope).requests]


def judge(rules: Sequence[Rule], recorder: Recorder, facts: RunFacts) -> Verdict:
    """Evaluate the rules; what spoils a run turns a pass into inconclusive, and is said in the notes either way."""
    spoilers = _spoilers(facts)
    silence = target_silence(recorder)
    arrivals = arrival_note(recorder.counters())
    spoilers += [arrivals] if arrivals else []
    spoilers += unsent_notes(recorder.counters())
    asked_for = facts.asked_for(rules, recorder)
    mixture = find_mixture(recorder, facts.request_types)
    mixed = mixture.sentence if mixture is not None else ""
    remarks = [note for note in (silence, mixed, names_note(recorder), *facts.remarks) if note]
    smaller = _smaller_run(rules, asked_for, facts)
    notes = (*spoilers, *remarks, *cut_off_note(recorder.counters()), *smaller)
    certain = recorder.without(mixture.others) if mixture is not None else None
    verdict = evaluate(asked_for, recorder, replace(facts.context(notes), certain=certain))
    aborted_by, doubted = facts.aborted_by, [item.rule for item in verdict.results if item.doubted]
    if aborted_by is not None and aborted_by.rule not in doubted and verdict.outcome is not RuleOutcome.FAIL:
        # It was broken when it was looked at; the few seconds a stopped run has may not be enough to see it again.
        results = tuple(aborted_by if item.rule == aborted_by.rule else item for item in verdict.results)
        return replace(verdict, outcome=RuleOutcome.FAIL, results=results, reason=facts.abort_reason)
    if spoilers and verdict.outcome is RuleOutcome.PASS:
        return replace(verdict, outcome=RuleOutcome.INCONCLUSIVE, reason=f"{verdict.reason}, but {spoilers[0]}")
    return verdict


def exit_code(outcome: RuleOutcome) -> ExitCode:
    """Return the exit code of a judged run."""
    return {
        RuleOutcome.PASS: ExitCode.PASS,
        RuleOutcome.FAIL: ExitCode.FAIL,
        RuleOutcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    }[outcome]


def target_silence(recorder: Recorder) -> str | None:
    """Say since when the target gave no good answer, if that lasted until the end of the run, else `None`."""
    slots = recorder.time_slots()
    if not slots:
        return None
    end_s = slots[-1].start_s + slots[-1].width_s
    last_good_s = max((slot.start_s + slot.width_s for slot in slots if slot.totals.success.requests), default=None)
    failures = sum(slot.totals.failures for slot in slots if last_good_s is None or slot.start_s >= last_good_s)
    if last_good_s is None:
        return f"not one of {count(failures)} requests succeeded{_last_error(recorder)}"
    if end_s - last_good_s < SILENCE_S or not failures:
        return None
    return (
        f"the target gave no good answer in the last {duration(end_s - last_good_s)}: "
        f"{count(failures)} requests failed{_last_error(recorder)}"
    )


def arrival_note(counters: Mapping[str, int]) -> str | None:
    """Say how many arrivals of an open model were not served, `None` when all were.

    Late ones are no fault of the figures: their lateness is in their latencies.
    """
    never, dropped = counters.get(ArrivalEvent.NEVER_STARTED, 0), counters.get(ArrivalEvent.DROPPED, 0)
    if not never and not dropped:
        return None
    return (
        f"{count(never)} arrivals never started and {count(dropped)} were dropped, because no user was free: "
        "the load was less than asked for; give more --users if the target was not the reason"
    )


def cut_off_note(counters: Mapping[str, int]) -> list[str]:
    """Say how many requests the interrupt has cut off."""
    number = counters.get(CUT_OFF, 0)
    requests = "1 request was" if number == 1 else f"{count(number)} requests were"
    return [f"{requests} cut off by the interrupt, and counted neither as failed nor as answered"] if number else []


def _smaller_run(rules: Sequence[Rule], asked_for: Sequence[Rule], facts: RunFacts) -> list[str]:
    """Say how a run that was asked to be smaller than its profile is judged."""
    fewer = f"{facts.fewer_users}: a limit with too few requests holds if each of them keeps it"
    left_out = [rule for rule in rules if rule not in asked_for]
    return [
        *([fewer] if facts.fewer_users else []),
        *(f"not asked for: {rule} (this run has no user for {rule.scope})" for rule in left_out),
    ]


def unsent_notes(counters: Mapping[str, int]) -> list[str]:
    """Say how many requests the load generator could not send, a line for each limit of its own."""
    return [
        f"the load generator ran out of {counter.removeprefix(UNSENT)}: {count(number)} requests were never sent"
        for counter, number in counters.items()
        if counter.startswith(UNSENT)
    ]


def names_note(recorder: Recorder) -> str | None:
    """Say that there are more request names than a report can show, `None` where there are not."""
    names = recorder.names()
    if len(names) <= MANY_NAMES:
        return None
    folded = f"; those after the first {count(MAX_NAMES)} count as {OTHER_NAMES!r}" if OTHER_NAMES in names else ""
    return (
        f"there are {count(len(names))} request names{folded}: give requests of one kind one name, "
        "such as self.client.get(url, name='/item/[id]')"
    )


def _last_error(recorder: Recorder) -> str:
    latest = max(recorder.errors(), key=lambda error: error.last_s, default=None)
    return f" (last error: {latest.text})" if latest else ""


def _spoilers(facts: RunFacts) -> list[str]:
    found = []
    if facts.ending is Ending.INTERRUPTED:
        planned = f" of {duration(facts.planned_s)}" if facts.planned_s else ""
        found.append(f"{INTERRUPTED} after {duration(facts.load_s[1] - facts.load_s[0])}{planned}")
    if facts.ending is Ending.ABORTED:
        found.append(facts.abort_reason)
    if facts.exceptions:
        times = "once" if facts.exceptions == 1 else f"{facts.exceptions} times"
        found.append(f"user code raised an exception {times} (first: {facts.first_exception})")
    if facts.left_out:
        records = "record was" if facts.left_out == 1 else "records were"
        found.append(f"{facts.left_out} {records} left out (first: {facts.first_left_out})")
    return [*found, *facts.incomplete]
