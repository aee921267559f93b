"""Measures the cost of metrics and access log: the throughput that a service with both loses compared with one without.

Both services run under the same uvicorn on this machine, in short alternating slices over 16 connections. Throughput is
the number of requests per CPU second of the server, which other load on the machine affects little. Only the ratios are
meaningful.

    python benchmarks/telemetry_cost.py [--rounds 40] [--slice-s 0.25]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.connections import rate
from tests.support.processes import redis_server
from tests.support.service import ApiProcess, api_process, service_env, worker_process

MOST_COST = 0.15
# The access log leaves out successful probes, so neither path is a probe.
PATHS = ("/api/v1/tasks/health", "/api/v1/health/database")


def measure(with_both: ApiProcess, with_neither: ApiProcess, rounds: int, slice_s: float) -> dict[str, float]:
    """Return the median cost of each route over all rounds, as a share of the throughput without metrics and log."""
    costs: dict[str, list[float]] = {path: [] for path in PATHS}
    for _ in range(rounds):
        for path in PATHS:
            before = rate(with_neither, path, slice_s).per_cpu_s
            value = rate(with_both, path, slice_s).per_cpu_s
            after = rate(with_neither, path, slice_s).per_cpu_s
            costs[path].append(1 - value / ((before + after) / 2))
            print(f"  {path:26} {value:7.0f}/CPU s   without {before:7.0f}/CPU s {after:7.0f}/CPU s", flush=True)
    return {path: statistics.median(values) for path, values in costs.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--slice-s", type=float, default=0.25)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_url, _ = stack.enter_context(redis_server(folder / "redis"))
        env = service_env(folder, redis_url, LOG_FORMAT="json")
        stack.enter_context(worker_process(folder, env))
        with_both = stack.enter_context(api_process(folder, env, app="inference_core.main:app"))
        quiet = env | {"ACCESS_LOG": "false"}
        with_neither = stack.enter_context(api_process(folder, quiet, app="benchmarks.without_metrics:app"))
        costs = measure(with_both, with_neither, options.rounds, options.slice_s)
    for path, cost in costs.items():
        print(f"{path:26} metrics and access log cost {cost:.1%} of the throughput   (at most {MOST_COST:.0%})")
    return int(any(cost > MOST_COST for cost in costs.values()))


if __name__ == "__main__":
    sys.exit(main())
