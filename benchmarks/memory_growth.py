"""Measures the memory of each part of the stack under a load profile, and its growth after the warm-up.

    python benchmarks/memory_growth.py [--profile heavy] [--seconds 300]

The figures are proportional set sizes (PSS): a page that several processes share is divided among them. The resident
sizes of a worker and its forked processes would count the pages that they share several times.

A cache that fills looks like a leak until it is full, a worker keeps a timer for each task until the task's time limit
has passed, and Redis keeps the sessions and results of the load until they expire. The question is whether the API and
the worker continue to grow.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.profile_run import stack_under_profile
from loadgate.analysis.growth.growth import growth
from loadgate.analysis.growth.text import growth_sentence

MIB = 1024 * 1024
# The kernel walks through all pages of a process to determine its PSS, which delays the process by milliseconds.
EVERY_S = 2.0
KINDS = {"valkey-server": "redis", "redis-server": "redis", "inference_core serve": "api", "celery": "worker"}


def kind_of(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((kind for word, kind in KINDS.items() if word in command), "other")


def memory_bytes(processes: list[psutil.Process]) -> dict[str, int]:
    """Return the current PSS of each kind of process."""
    totals: dict[str, int] = defaultdict(int)
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # terminated since it was listed
            totals[kind_of(process)] += process.memory_full_info().pss
    return totals


def describe(kind: str, times_s: list[float], values: list[int]) -> str:
    """Return one line with the memory of a kind at its first and last reading, and its growth."""
    found = growth(times_s, values)
    sentence = growth_sentence(kind, found) if found else "The run is too short for its growth."
    return f"{kind:8} from {values[0] / MIB:.1f} to {values[-1] / MIB:.1f} MiB PSS. {sentence}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--profile", default="heavy")
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    series: dict[str, tuple[list[float], list[int]]] = defaultdict(lambda: ([], []))
    with (
        tempfile.TemporaryDirectory() as name,
        stack_under_profile(Path(name), options.profile, options.seconds) as (stack, generator),
    ):
        while generator.poll() is None:
            now_s = time.time()
            for kind, pss in memory_bytes(stack.family()).items():
                times_s, values = series[kind]
                times_s.append(now_s)
                values.append(pss)
            with suppress(subprocess.TimeoutExpired):
                generator.wait(EVERY_S)
    for kind, (times_s, values) in sorted(series.items()):
        print(describe(kind, times_s, values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
