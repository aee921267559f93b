"""Measures the growth of the resident memory of each process of the stack under a load profile, after the warm-up.

    python benchmarks/memory_growth.py [--profile heavy] [--seconds 300]

A cache that fills looks like a leak until it is full, and Redis keeps the sessions and results of the load until they
expire. The question is whether the API and the worker continue to grow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.profile_run import stack_under_profile
from loadgate.analysis.growth import memory_trend

MIB = 1024 * 1024
KINDS = {"valkey-server": "redis", "redis-server": "redis", "uvicorn": "api", "celery": "worker"}


def kind_of(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((kind for word, kind in KINDS.items() if word in command), "other")


def resident_bytes(processes: list[psutil.Process]) -> dict[str, int]:
    """Return the current memory of each kind of process."""
    totals: dict[str, int] = defaultdict(int)
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # terminated since it was listed
            totals[kind_of(process)] += process.memory_info().rss
    return totals


def growth(times_s: list[float], values: list[int]) -> str:
    trend = memory_trend(times_s, values)
    return f"{trend.bytes_per_minute / MIB:+.2f} MiB/min" if trend else "no trend"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--profile", default="heavy")
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    times_s: list[float] = []
    series: dict[str, list[int]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory() as name,
        stack_under_profile(Path(name), options.profile, options.seconds) as (stack, generator),
    ):
        while generator.poll() is None:
            times_s.append(time.time())
            for kind, rss in resident_bytes(stack.family()).items():
                series[kind].append(rss)
            time.sleep(1)
    half = len(times_s) // 2
    for kind, values in sorted(series.items()):
        if len(values) != len(times_s):
            continue  # did not run the whole time
        whole, later = growth(times_s, values), growth(times_s[half:], values[half:])
        print(f"{kind:8} from {values[0] / MIB:.1f} to {values[-1] / MIB:.1f} MiB: {whole}, in the second half {later}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
