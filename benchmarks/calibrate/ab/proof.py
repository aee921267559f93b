"""Measure the cases, and print the table of their conclusions."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.calibrate.ab import relabelled
from benchmarks.calibrate.ab.hog import Hog
from benchmarks.calibrate.ab.relabelled import stored_pairs
from benchmarks.calibrate.ab.versions import USUAL_FAILURES, VersionCase
from benchmarks.calibrate.runs import CalibrationError
from benchmarks.calibrate.stubs.started import ROOT, stub
from loadgate.analysis.ab.segments import Pair
from loadgate.exit_codes import ExitCode
from loadgate.report.ab.document import AbDocument
from loadgate.rules import RuleOutcome
from loadgate.units import duration_s

RUNS = 20
SETTLE_S = 1.0
STARTING_S = 3.0
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
HOG = Hog()


@dataclass(frozen=True, slots=True)
class Plan:
    """The pairs until the first decision, the length of a segment, and how many comparisons run at the same time."""

    pairs: int = 10
    measure: str = "10s"
    parallel: int = 5

    @property
    def half_s(self) -> float:
        """Return about half the time until the first decision."""
        return self.pairs * (duration_s(self.measure) + SETTLE_S + STARTING_S)


USUAL = Plan()


@dataclass(frozen=True, slots=True)
class Compared:
    """The conclusion of one comparison."""

    case: VersionCase
    outcome: RuleOutcome
    pairs: int
    reason: str
    measured: Sequence[Pair] = field(default=(), repr=False)
    """The pairs of a comparison without a difference."""


def compare(case: VersionCase, seed: int, plan: Plan) -> Compared:
    """Carry out one comparison.

    Raises:
        CalibrationError: It ended without a conclusion.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        stub("version", *_options(seed, failures=USUAL_FAILURES)) as base,
        stub("version", *_options(seed + 1, **{"failures": USUAL_FAILURES, **case.head})) as head,
        HOG.wanted(plan.half_s) if case.with_hog else contextlib.nullcontext(),
    ):
        Path(folder, "pyproject.toml").write_text("[tool.loadgate]\n")
        command = [sys.executable, "-m", "loadgate.cli", "ab", "--base-url", base.url, "--head-url", head.url]
        command += ["--locustfile", str(LOCUSTFILE), "--profile", "ab", "--pairs", str(plan.pairs)]
        command += ["--measure", plan.measure, "--settle", f"{SETTLE_S:g}s", "--seed", str(seed)]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in {ExitCode.PASS, ExitCode.INCONCLUSIVE, ExitCode.FAIL}:
            raise CalibrationError(f"{case.name}: {done.stdout[-1500:]}\n{done.stderr[-1500:]}")
        (found,) = Path(folder).glob("reports/performance/ab/*/ab.json")
        result = AbDocument.read(found).result
        measured = stored_pairs(found.parent) if case.is_null else ()
    return Compared(case, result.outcome, result.pairs, result.reason, measured)


def _options(seed: int, **options: float) -> list[object]:
    return [
        part for name, value in (options | {"seed": seed}).items() for part in (f"--{name.replace('_', '-')}", value)
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: the comparisons of a case."""

    case: VersionCase
    compared: Sequence[Compared]

    @property
    def outcomes(self) -> list[RuleOutcome]:
        """Return the conclusions."""
        return [one.outcome for one in self.compared]

    def __str__(self) -> str:
        order = (RuleOutcome.FAIL, RuleOutcome.INCONCLUSIVE, RuleOutcome.PASS)
        counts = " | ".join(str(self.outcomes.count(outcome)) for outcome in order)
        pairs = [one.pairs for one in self.compared]
        return f"| {self.case.name} | {len(pairs)} | {counts} | {min(pairs)} to {max(pairs)} |"


def seeds(runs: int, first: int) -> list[int]:
    """Return the seed of each run. The stubs of a run use the next seed as well."""
    return [1000 * number for number in range(first, first + runs)]


HEAD = "| version | comparisons | fail | inconclusive | pass | pairs |\n| --- | ---: | ---: | ---: | ---: | ---: |"


def prove(
    cases: Sequence[VersionCase], runs: int, plan: Plan = USUAL, first: int = 0, relabelled_comparisons: int = 0
) -> bool:
    """Print the table of the cases, and return whether each keeps its limits.

    The runs of a case have the numbers from `first` on, which decide their seeds. `relabelled_comparisons` are made of
    the pairs of the comparisons without a change.
    """
    jobs = [(case, seed) for seed in seeds(runs, first) for case in cases]
    compared: list[Compared] = []
    with ThreadPoolExecutor(plan.parallel) as pool:
        for one in pool.map(lambda job: compare(*job, plan), jobs):
            compared.append(one)
            print(f"{one.case.name}: {one.outcome} after {one.pairs} pairs: {one.reason}", file=sys.stderr, flush=True)
    rows = [Row(case, [one for one in compared if one.case is case]) for case in cases]
    print("\n".join((HEAD, *map(str, rows))))
    misses = [miss for row in rows for miss in row.case.misses(row.outcomes)]
    nulls = [pair for one in compared for pair in one.measured]
    misses += relabelled.prove(nulls, relabelled_comparisons) if nulls and relabelled_comparisons else []
    print("\n".join(misses) if misses else "every case keeps its limits")
    return not misses
