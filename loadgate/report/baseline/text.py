"""The texts about a baseline in the terminal."""

from __future__ import annotations

from loadgate.report.baseline.changes import changes_since
from loadgate.report.baseline.measuring import measured_run
from loadgate.report.compare.load import differing
from loadgate.report.compare.sides import class_text
from loadgate.report.compare.values import METRICS
from loadgate.report.text import SHORT_COMMIT, aligned, printable
from loadgate.report.value_changes import change_text, interval_text, value_text
from loadgate.rules import Unit
from loadgate.run.document import EnvironmentRecord, RunDocument
from loadgate.run.document.baseline import BaselineRecord, BaselineScope, ValueChange
from loadgate.units import UNKNOWN

FIRST_OF_ITS_KIND = "This is the first run with this load on this machine. Later runs show what has changed since."


def baseline_line(baseline: BaselineRecord) -> str:
    """Return what a baseline is, as in `run 20260501T120000Z-light of 2026-05-01, commit 8f14e45fce`."""
    changed = ", with local changes" if baseline.changed else ""
    commit = f", commit {baseline.commit[:SHORT_COMMIT]}{changed}" if baseline.commit else ""
    return printable(f"run {baseline.run} of {baseline.started_at[:10]}{commit}")


def with_baseline(document: RunDocument, baseline: BaselineRecord) -> tuple[RunDocument, str]:
    """Return the document of a run with its baseline and its changes, or why they are not compared."""
    document = document.model_copy(update={"baseline": baseline, "since_baseline": None})
    if problem := baseline_problem(document):
        return document, problem
    return document.model_copy(update={"since_baseline": changes_since(baseline, measured_run(document))}), ""


def baseline_problem(document: RunDocument) -> str:
    """Return why a run is not compared with its baseline, one clause. "" if it is, or if it has none."""
    baseline, fingerprint = document.baseline, document.made_on.fingerprint
    if baseline is None or (fingerprint is not None and fingerprint.profile == baseline.fingerprint.profile):
        return ""
    if fingerprint is None:
        return "not compared with the baseline, because an older version of loadgate did not store the load of the run"
    return printable(f"not compared with the baseline, because the loads differ: {differing(baseline.load, document)}")


def changes_lines(document: RunDocument) -> list[str]:
    """Return the changes of the rules since the baseline or the last run as lines. Empty without either."""
    baseline, found = document.baseline, document.since_baseline
    if document.is_first_of_its_kind:
        return [FIRST_OF_ITS_KIND]
    if baseline is None or found is None:
        return []
    rows = [("RULE", baseline.noun.upper(), "NOW", "CHANGE", "INTERVAL"), *(_cells(item) for item in found.rules)]
    return [
        "",
        *(aligned(rows, right={1, 2, 3}) if found.rules else [f"the {baseline.noun} has no rule of this run"]),
        "",
        f"{baseline.noun}: {baseline_line(baseline)}",
        *(f"! {warning}" for warning in baseline_warnings(document)),
        baseline_meaning(baseline, document.made_on),
    ]


def baseline_warnings(document: RunDocument) -> list[str]:
    """Return sentences about what differs between a run and its baseline, besides the version of the target."""
    baseline, fingerprint = document.baseline, document.made_on.fingerprint
    if baseline is None or fingerprint is None:
        return []
    warnings = []
    if fingerprint.machine != baseline.fingerprint.machine:
        there = class_text(baseline.machine_class, baseline.fingerprint.machine)
        here = class_text(document.made_on.machine_class, fingerprint.machine)
        warnings.append(f"The {baseline.noun} is from another class of machines ({there}; this run: {here}).")
    if fingerprint.suite != baseline.fingerprint.suite:
        warnings.append(f"The suite has changed since the {baseline.noun}.")
    return [printable(warning) for warning in warnings]


def baseline_meaning(baseline: BaselineRecord, made_on: EnvironmentRecord) -> str:
    """Return what the changes since a baseline mean for a run that was made on `made_on`."""
    return printable(
        "The changes do not affect the verdict. Their intervals do not include the random differences between runs, so "
        f"a single run cannot prove a change.{_proof(baseline, made_on)}"
    )


def _proof(baseline: BaselineRecord, made_on: EnvironmentRecord) -> str:
    """Return the command that proves a change since the commit of a baseline. "" without another commit."""
    if baseline.commit is None:
        return ""
    git = made_on.git
    if git is not None and git.commit == baseline.commit and not git.changed:
        return f" Both runs have the commit {baseline.commit[:SHORT_COMMIT]}."
    return f" To prove a change, run: loadgate ab {baseline.commit[:SHORT_COMMIT]} --profile {baseline.profile}"


def values_lines(baseline: BaselineRecord) -> list[str]:
    """Return the values of a baseline as lines: the rules, then the scopes."""
    rules = [(rule.rule, value_text(rule.unit, rule.value[0])) for rule in baseline.rules]
    scopes = [("SCOPE", *METRICS), *(_scope_cells(scope) for scope in baseline.scopes)]
    return [
        printable(f"profile {baseline.profile}: {baseline_line(baseline)}"),
        "",
        *(aligned([("RULE", "VALUE"), *rules], right={1}) if rules else []),
        "",
        *aligned(scopes, right=range(1, len(METRICS))),
    ]


def _scope_cells(scope: BaselineScope) -> tuple[str, ...]:
    values = ((metric, scope.measured(metric)) for metric in METRICS)
    units = {metric: Unit.PERCENT if metric == "failures" else Unit.MS for metric in METRICS}
    shown = (UNKNOWN if found is None else value_text(units[metric], found.value) for metric, found in values)
    return (f"  {scope.name}" if scope.kind == "name" else scope.name, *shown)


def _cells(item: ValueChange) -> tuple[str, ...]:
    return (
        item.subject,
        value_text(item.unit, item.base),
        value_text(item.unit, item.head),
        change_text(item.unit, item.change),
        interval_text(item.unit, item.low, item.high),
    )
