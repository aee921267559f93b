"""The runs of both sides, and whether they can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadgate.errors import RequestError
from loadgate.report.compare.load import fingerprint_of, load_difference
from loadgate.run.document import MachineClassRecord, RunDocument
from loadgate.run.judgement import Ending
from loadgate.units import count, duration, given, size


class CompareError(RequestError):
    """Raised if runs cannot be compared. The message is one line."""


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run with its folder."""

    folder: Path
    document: RunDocument

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.folder.resolve().name


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence on the runs. `prevents_judging`: the comparison is inconclusive because of it."""

    sentence: str
    prevents_judging: bool


def check_sides(base: Sequence[ComparedRun], head: Sequence[ComparedRun]) -> None:
    """Raise CompareError if the runs have different loads, or if a run is given twice."""
    runs = [*base, *head]
    for place, run in enumerate(runs):
        if run.folder.resolve() in {other.folder.resolve() for other in runs[:place]}:
            raise CompareError(f"{run.name} is given twice; give each run once")
        if run.document.made_on.fingerprint is None:
            raise CompareError(
                f"{run.name} is from an older version of loadgate, which did not store the load; run the profile again"
            )
        if differing := load_difference(runs[0].document, run.document):
            raise CompareError(
                f"{runs[0].name} and {run.name} have different loads: {differing}; "
                "give runs of one profile with the same options"
            )


def remarks(base: Sequence[ComparedRun], head: Sequence[ComparedRun]) -> list[Remark]:
    """Return what limits the comparison."""
    runs = [*base, *head]
    found = []
    if _several(runs, lambda run: fingerprint_of(run.document).machine):
        classes = " and ".join(dict.fromkeys(map(machine_text, (run.document for run in runs))))
        found.append(Remark(f"the runs are from different machines ({classes}), so nothing is judged", True))
    if _several(runs, lambda run: fingerprint_of(run.document).suite):
        found.append(Remark("the runs have different suites, so a change can come from the suite", False))
    if _several(runs, lambda run: fingerprint_of(run.document).rules):
        found.append(Remark("the runs have different rules; only those of both sides are compared", False))
    problems = ((run.name, run_problem(run.document)) for run in runs)
    found += [Remark(f"{name} {problem}, so nothing is judged", True) for name, problem in problems if problem]
    return found


def run_problem(document: RunDocument) -> str:
    """Return why the values of a run do not describe its load, a predicate. "" if they do."""
    if document.run.ending != Ending.COMPLETED:
        return f"was {document.run.ending} after {duration(document.run.duration_s)}"
    if any(process.problem for process in document.generator):
        return "had a saturated load generator"
    return ""


def machine_text(document: RunDocument) -> str:
    """Return the class of a run's machine, as in `AMD EPYC 7B13, 2 cores`."""
    return class_text(document.made_on.machine_class, fingerprint_of(document).machine)


def class_text(machine: MachineClassRecord | None, machine_hash: str) -> str:
    """Return a class of machines in words; its hash if nothing is known of it."""
    parts = []
    if machine is not None:
        parts = [
            machine.cpu or "",
            f"{count(machine.usable_cores)} cores" if machine.usable_cores else "",
            f"CPU limit {given(machine.cpu_limit)}" if machine.cpu_limit else "",
            f"memory limit {size(machine.memory_limit_bytes)}" if machine.memory_limit_bytes else "",
        ]
    return ", ".join(filter(None, parts)) or f"class {machine_hash}"


def _several(runs: Sequence[ComparedRun], value: Callable[[ComparedRun], object]) -> bool:
    return len({value(run) for run in runs}) > 1
