"""Search the capacity of stubs whose capacity can be computed, in real time, and compare the bounds with it.

    python -m benchmarks.calibrate.capacity [--only pool] [--searches 20] [--parallel 4] [--short]
    python -m benchmarks.calibrate.capacity --searches 10 --seed-from 10    # the second half of 20 searches

Each search is `loadgate capacity` with a fresh stub `queueing` for each trial, or with one stub for all of them. It is
right if its bounds contain the capacity, are at most 5 % apart, and took at most 12 minutes (15 with a target that has
to recover). The exit code is 1 if less than 19 of 20 searches of a case are right. Run nothing else on the machine: the
stub and the generator need its cores. `--parallel` is for cases with low rates, which need little of a core.

`--short` takes two minutes: one search of a pool with short trials, whose bounds may be 10 % apart, and one of a target
that is faster than the highest rate to try.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.calibrate.queues import even
from benchmarks.calibrate.stubs.server import number_or_0, whole_number
from benchmarks.calibrate.stubs.started import ROOT, stub
from loadgate.analysis.capacity.plan import Ending
from loadgate.report.capacity.document import CapacityDocument
from loadgate.units import duration

SEARCHES = 20
LEAST_RIGHT = 0.95
WIDTH = 0.05
MOST_S, BUDGET_S = 720, 900

LOCUSTFILE = """
import loadgate
from loadgate import LoadProfile
from loadgate.users import BaseUser
from locust import task

class Caller(BaseUser):
    group = "stub"

    @task
    def call(self):
        self.client.get("/", name="call")

loadgate.install(
    profiles={{"search": LoadProfile("search", users=20)}},
    user_classes=[Caller],
    rules=["stub: p95 < {limit_ms}ms"],
    preflight=[],
)
"""


@dataclass(frozen=True, slots=True)
class SearchCase:
    """A stub with its capacity, the limit of its p95, and how a search must end. Without a capacity, no rate holds.

    - `is_shared`: all trials of a search have the same stub.
    - `most_s`: the search may take so long. After a rate that breaks, the target of a shared stub must recover.
    - `width`: the bounds may be so far apart.
    - `arguments`: further arguments of `loadgate capacity`.
    """

    name: str
    options: tuple[object, ...]
    limit_ms: int
    capacity_per_s: float
    first: str
    ending: Ending = Ending.SUSTAINS
    is_shared: bool = False
    most_s: float = MOST_S
    width: float = WIDTH
    arguments: tuple[str, ...] = ()

    def is_right(self, document: CapacityDocument, took_s: float) -> bool:
        """Return whether a search ends as it must, with bounds that contain the capacity."""
        result = document.result
        holds, breaks = result.holds_per_s or 0.0, result.breaks_per_s
        contains = holds <= self.capacity_per_s and (breaks is None or breaks > self.capacity_per_s)
        is_close = result.ending is not Ending.SUSTAINS or (breaks or 0.0) <= holds * (1 + self.width)
        return result.ending is self.ending and contains and is_close and took_s <= self.most_s


ERLANG_PER_S, ERLANG_LIMIT_MS = 420, 100
ERLANG = even("D/E4/1", 1 / ERLANG_PER_S, ERLANG_LIMIT_MS / 1000, phases=4)

CASES = (
    SearchCase(
        "D/E4/1",
        ("--service", 1 / ERLANG_PER_S, "--law", "erlang"),
        ERLANG_LIMIT_MS,
        ERLANG.capacity_per_s,
        "50/s",
    ),
    SearchCase("pool of 6 slots", ("--servers", 6, "--service", 0.1, "--law", "constant"), 200, 60.0, "10/s"),
    SearchCase("cliff at 90/s", ("--service", 0.001, "--law", "constant", "--cliff", 90), 200, 90.0, "10/s"),
    SearchCase(
        "cliff that stays slow for 45 s",
        # In a window of a second, a generator that was delayed for 15 ms would exceed 90 requests at 89/s.
        ("--service", 0.001, "--law", "constant", "--cliff", 90, "--window", 5, "--recovery", 45),
        200,
        90.0,
        "10/s",
        is_shared=True,
        most_s=BUDGET_S,
    ),
    SearchCase("no rate holds", ("--service", 0.5, "--law", "constant"), 100, 0.0, "8/s", Ending.NONE),
    SearchCase(
        "more than the generator can make",
        ("--servers", 1000, "--service", 0.001, "--law", "constant"),
        200,
        1e6,
        "500/s",
        Ending.AT_LEAST,
    ),
)

SHORT = ("--trial", "10s", "--confirm", "10s", "--settle", "1s")
SHORT_CASES = (
    replace(CASES[1], first="45/s", width=0.1, arguments=(*SHORT, "--width", "10%")),
    replace(CASES[-1], name="faster than the highest rate to try", first="100/s", arguments=(*SHORT, "--to", "100/s")),
)
TYPICAL_S, SHORT_S = 450, 60
"""The time of a search, to print how long all of them take."""


def search(case: SearchCase, seed: int) -> tuple[CapacityDocument, float]:
    """Carry out one search. Return its document, and how long it took in seconds."""
    if not case.is_shared:
        return _search(case, seed, [])
    with stub("queueing", *case.options, "--seed", seed) as shared:
        return _search(case, seed, ["--host", shared.url])


def _search(case: SearchCase, seed: int, target: Sequence[str]) -> tuple[CapacityDocument, float]:
    module = "benchmarks.calibrate.stubs.queueing"
    fresh = [sys.executable, "-m", module, *map(str, case.options), "--seed", str(seed)]
    settings = [
        "[tool.loadgate]",
        'locustfile = "locustfile.py"',
        "[tool.loadgate.target]",
        f"command = {json.dumps(fresh)}",
        r"ready_line = 'http://\S+'",
        f"env = {{ PYTHONPATH = {json.dumps(str(ROOT))} }}",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text("\n".join(settings))
        (folder / "locustfile.py").write_text(LOCUSTFILE.format(limit_ms=case.limit_ms))
        command = [sys.executable, "-m", "loadgate.cli", "capacity", "search", "--from", case.first]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "--seed", str(1000 * seed), *case.arguments, *target],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        took_s = time.monotonic() - began
        found = [file.parent for file in folder.glob("reports/performance/capacity/*/capacity.json")]
        if not found:
            raise SystemExit(f"{case.name}: no search:\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
        return CapacityDocument.read(found[0]), took_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="TEXT", help="run only cases with TEXT; can be repeated")
    parser.add_argument("--searches", type=whole_number, default=SEARCHES, help="searches of each case")
    parser.add_argument("--parallel", type=whole_number, default=1, help="searches of a case at the same time")
    parser.add_argument("--seed-from", type=number_or_0, default=0, metavar="N", help="number of the first search")
    parser.add_argument("--short", action="store_true", help="only one search of each of two short cases")
    options = parser.parse_args()
    every_case, searches, each_s = (SHORT_CASES, 1, SHORT_S) if options.short else (CASES, options.searches, TYPICAL_S)
    cases = [case for case in every_case if any(text in case.name for text in options.only or [""])]
    if not cases:
        parser.error(f"--only {options.only}: no case name contains this text")
    about = duration(len(cases) * searches * each_s / options.parallel)
    print(f"searches: {len(cases) * searches}, which take about {about}", file=sys.stderr, flush=True)
    is_proven = True
    print("| case | capacity | right | longest |\n| --- | ---: | ---: | ---: |", flush=True)
    seeds = range(options.seed_from, options.seed_from + searches)
    for case in cases:
        right, longest_s = 0, 0.0
        with ThreadPoolExecutor(options.parallel) as pool:
            for document, took_s in pool.map(partial(search, case), seeds):
                right += case.is_right(document, took_s)
                longest_s = max(longest_s, took_s)
                print(f"{case.name}, {took_s:.0f} s: {document.result.sentence}", file=sys.stderr, flush=True)
        is_proven = is_proven and right >= LEAST_RIGHT * searches
        capacity = f"{case.capacity_per_s:.1f}/s"
        print(f"| {case.name} | {capacity} | {right} of {searches} | {longest_s / 60:.1f} min |", flush=True)
    return 0 if is_proven else 1


if __name__ == "__main__":
    sys.exit(main())
