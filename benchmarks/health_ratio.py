"""How fast the health and monitoring routes answer, as a share of a bare FastAPI route's throughput.

Both applications run under the same uvicorn on this machine; slices of a few seconds alternate between the routes, over
16 connections, so that whatever else the machine does falls on all of them alike. Only the ratios mean anything.

    python benchmarks/health_ratio.py [--rounds 5] [--slice-s 1.0]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.connections import port_of, throughput
from tests.support.processes import redis_server
from tests.support.service import api_process, service_env, worker_process

TARGETS = {
    "/api/v1/health/ping": 0.85,
    "/api/v1/tasks/health": 0.75,
    "/api/v1/health/": 0.60,
    "/api/v1/health/database": 0.35,
}


def measure(bare: int, service: int, rounds: int, slice_s: float) -> dict[str, float]:
    """The median over the rounds of each route's ratio to the bare route beside it."""
    ratios: dict[str, list[float]] = {path: [] for path in TARGETS}
    for _ in range(rounds):
        for path in TARGETS:
            before = uvloop.run(throughput(bare, "/", slice_s))
            value = uvloop.run(throughput(service, path, slice_s))
            after = uvloop.run(throughput(bare, "/", slice_s))
            ratios[path].append(value / ((before + after) / 2))
            print(f"  {path:26} {value:7.0f}/s   bare {before:7.0f}/s {after:7.0f}/s", flush=True)
    return {path: statistics.median(values) for path, values in ratios.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slice-s", type=float, default=1.0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the service")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_url, _ = stack.enter_context(redis_server(folder / "redis"))
        env = service_env(folder, redis_url, **dict(item.split("=", 1) for item in options.set))
        stack.enter_context(worker_process(folder, env))
        bare = stack.enter_context(api_process(folder, env, "--no-access-log", app="benchmarks.bare:app"))
        service = stack.enter_context(api_process(folder, env, app="inference_core.main:app"))
        ratios = measure(port_of(bare.url), port_of(service.url), options.rounds, options.slice_s)
    for path, ratio in ratios.items():
        print(f"{path:26} {ratio:.2f} of a bare route   (target {TARGETS[path]:.2f})")
    return 0 if all(ratio >= TARGETS[path] for path, ratio in ratios.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
