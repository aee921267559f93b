"""How fast the health and monitoring routes answer, as a share of a bare FastAPI route's throughput.

Both applications run under the same uvicorn on this machine; slices of a quarter of a second alternate between the
routes, over 16 connections, so that whatever else the machine does falls on all of them alike. Only the ratios mean
anything.

    python benchmarks/health_ratio.py [--rounds 20] [--slice-s 0.25]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
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
    """The median over the rounds of each route's ratios to the bare route beside it."""
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
            print(f"  {path:26} {value.per_s:7.0f}/s   bare {before.per_s:7.0f}/s {after.per_s:7.0f}/s", flush=True)
    return {path: Rate(*map(statistics.median, zip(*found, strict=True))) for path, found in ratios.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--slice-s", type=float, default=0.25)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the service")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_url, _ = stack.enter_context(redis_server(folder / "redis"))
        env = service_env(folder, redis_url, **dict(item.split("=", 1) for item in options.set))
        stack.enter_context(worker_process(folder, env))
        bare = stack.enter_context(api_process(folder, env, "--no-access-log", app="benchmarks.bare:app"))
        service = stack.enter_context(api_process(folder, env, app="inference_core.main:app"))
        ratios = measure(bare, service, options.rounds, options.slice_s)
    for path, (by_time, by_cpu) in ratios.items():
        target = f"(target {TARGETS[path]:.2f})"
        print(f"{path:26} {by_time:.2f} of a bare route's throughput   {target}, {by_cpu:.2f} by processor time")
    return 0 if all(ratio.per_s >= TARGETS[path] for path, ratio in ratios.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
