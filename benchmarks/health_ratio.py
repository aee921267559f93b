"""Measures the throughput of the health and monitoring routes as a share of a bare FastAPI route's throughput.

Both applications run under the same uvicorn on this machine. The measurement alternates between the routes in slices
of a quarter of a second, over 16 connections, so other load on the machine affects all routes equally. Two processes
with the same code can differ by up to 10 % during their whole life, so the slices use several pairs of processes.
Only the ratios are meaningful.

    python benchmarks/health_ratio.py [--processes 7] [--rounds 8] [--slice-s 0.25]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.connections import Rate, rate
from tests.support.processes import redis_server
from tests.support.service import ApiProcess, api_process, service_env, worker_process

TARGETS = {
    "/api/v1/health/ping": 0.85,
    "/api/v1/tasks/health": 0.75,
    "/api/v1/health/": 0.60,
    "/api/v1/health/database": 0.35,
}


def measure(bare: ApiProcess, service: ApiProcess, rounds: int, slice_s: float) -> dict[str, Rate]:
    """Return the median ratio of each route to the bare route over all rounds."""
    ratios: dict[str, list[Rate]] = {path: [] for path in TARGETS}
    for _ in range(rounds):
        for path in TARGETS:
            before, value, after = rate(bare, "/", slice_s), rate(service, path, slice_s), rate(bare, "/", slice_s)
            ratios[path].append(
                Rate(
                    value.per_s / ((before.per_s + after.per_s) / 2),
                    value.per_cpu_s / ((before.per_cpu_s + after.per_cpu_s) / 2),
                )
            )
    return {path: median_of(found) for path, found in ratios.items()}


def median_of(rates: Iterable[Rate]) -> Rate:
    return Rate(*map(statistics.median, zip(*rates, strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--processes", type=int, default=7, help="number of pairs of server processes")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of each pair")
    parser.add_argument("--slice-s", type=float, default=0.25)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the service")
    options = parser.parse_args()
    if options.processes < 1 or options.rounds < 1:
        parser.error("--processes and --rounds must be at least 1")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_url, _ = stack.enter_context(redis_server(folder / "redis"))
        env = service_env(folder, redis_url, **dict(item.split("=", 1) for item in options.set))
        stack.enter_context(worker_process(folder, env))
        pairs = []
        for _ in range(options.processes):
            with (
                api_process(folder, env, "--no-access-log", app="benchmarks.bare:app") as bare,
                api_process(folder, env, app="inference_core.main:app") as service,
            ):
                pairs.append(measure(bare, service, options.rounds, options.slice_s))
            found = ", ".join(f"{path} {ratio.per_s:.2f}" for path, ratio in pairs[-1].items())
            print(f"  {len(pairs)} of {options.processes}: {found}", flush=True)
    ratios = {path: median_of(pair[path] for pair in pairs) for path in TARGETS}
    for path, (by_time, by_cpu) in ratios.items():
        target = f"(target {TARGETS[path]:.2f})"
        print(f"{path:26} {by_time:.2f} of a bare route's throughput   {target}, {by_cpu:.2f} by processor time")
    return 0 if all(ratio.per_s >= TARGETS[path] for path, ratio in ratios.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
