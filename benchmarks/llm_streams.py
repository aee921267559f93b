"""Measures the token streams of one API process with the simulated model.

- Concurrent streams: at the speed `8b-h100`, the number of streams before the ITL overhead (measured minus planned
  gaps) exceeds 5 ms at p95. The number doubles until it does, then a binary search follows.
- Tokens per second, and per CPU second of the server: at the speed `instant`, over 16 connections, as a share of a
  bare endpoint that sends events of the same size under the same server, in alternating slices.

    python benchmarks/llm_streams.py [--most 1600] [--hold-s 6] [--rounds 3] [--slice-s 2]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from pathlib import Path

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.connections import CONNECTIONS, port_of
from benchmarks.llm_client import Seen, read_streams
from tests.support.llm import limits_config
from tests.support.processes import redis_server
from tests.support.service import ApiProcess, api_process, service_env

STREAM = "/api/v1/llm/explain/stream"
ITL_LIMIT_MS = 5.0
FIRST_TRY = 25
STEPS = 4
RAMP_S = 3.0
SHORT_RAMP_S = 0.2


def p95(values: list[float]) -> float:
    """Return the 95th percentile (nearest rank)."""
    return sorted(values)[ceil(0.95 * len(values)) - 1] if values else 0.0


def keeps_up(port: int, streams: int, hold_s: float) -> bool:
    """Return whether this number of concurrent streams keeps the limit, and print the measured values."""
    seen: Seen = uvloop.run(read_streams(port, STREAM, streams, ramp_s=RAMP_S, hold_s=hold_s))
    overhead_ms = p95(seen.itl_overheads_ms)
    print(
        f"  {streams:5} streams   ITL overhead p95 {overhead_ms:6.2f} ms   TTFT overhead p95 "
        f"{p95(seen.ttft_overheads_ms):6.1f} ms   {seen.tokens / hold_s:7.0f} tokens/s   "
        f"the client's own delay p95 {p95(seen.own_delays_ms):5.2f} ms",
        flush=True,
    )
    return bool(seen.itl_overheads_ms) and overhead_ms <= ITL_LIMIT_MS


def most_at_once(port: int, most: int, hold_s: float) -> tuple[int, int | None]:
    """Return the largest number that keeps the limit, and the smallest that does not (None if all do)."""
    good, bad, tried = 0, None, FIRST_TRY
    while bad is None and good < most:
        if keeps_up(port, tried, hold_s):
            good, tried = tried, min(2 * tried, most)
        else:
            bad = tried
    for _ in range(STEPS):
        if bad is None or bad - good <= max(1, good // 20):
            break
        middle = (good + bad) // 2
        good, bad = (middle, bad) if keeps_up(port, middle, hold_s) else (good, middle)
    return good, bad


def token_ratios(bare: ApiProcess, service: ApiProcess, rounds: int, slice_s: float) -> tuple[float, float]:
    """Return the median ratios of the service's tokens to the bare endpoint's: per second and per CPU second."""

    def tokens(api: ApiProcess, path: str) -> tuple[float, float]:
        process = psutil.Process(api.pid)
        cpu_before_s = sum(process.cpu_times()[:2])
        seen: Seen = uvloop.run(read_streams(port_of(api.url), path, CONNECTIONS, ramp_s=SHORT_RAMP_S, hold_s=slice_s))
        cpu_s = sum(process.cpu_times()[:2]) - cpu_before_s
        return seen.tokens / slice_s, seen.all_tokens / cpu_s

    ratios = []
    for _ in range(rounds):
        before, value, after = tokens(bare, "/stream"), tokens(service, STREAM), tokens(bare, "/stream")
        ratios.append([value[unit] / ((before[unit] + after[unit]) / 2) for unit in (0, 1)])
        print(
            f"  {value[0]:7.0f} tokens/s ({value[1]:7.0f} a CPU second)   bare {before[0]:7.0f}/s {after[0]:7.0f}/s "
            f"({before[1]:7.0f}, {after[1]:7.0f})",
            flush=True,
        )
    return statistics.median(ratio[0] for ratio in ratios), statistics.median(ratio[1] for ratio in ratios)


@contextmanager
def service_at(speed: str, folder: Path, redis_url: str) -> Iterator[ApiProcess]:
    """Run one API process without limits of users and with enough simulator slots for every stream."""
    settings = {
        "ALLOW_LIVE_LLM": "0",
        "LLM_CONFIG_FILE": str(limits_config(folder)),
        "LLM_SIMULATOR_SPEED": speed,
        "LLM_SIMULATOR_MAX_NUM_SEQS": "10000",
        "MAX_CONCURRENT_REQUESTS": "10000",
    }
    with api_process(folder, service_env(folder, redis_url, **settings), app="inference_core.main:app") as api:
        yield api


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--most", type=int, default=1600)
    parser.add_argument("--hold-s", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slice-s", type=float, default=2.0)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_url, _ = stack.enter_context(redis_server(folder / "redis"))
        for name in ("held", "instant"):
            (folder / name).mkdir()
        with service_at("8b-h100", folder / "held", redis_url) as api:
            good, bad = most_at_once(port_of(api.url), options.most, options.hold_s)
        with service_at("instant", folder / "instant", redis_url) as api:
            env = service_env(folder, redis_url)
            bare = stack.enter_context(api_process(folder, env, "--no-access-log", app="benchmarks.bare:app"))
            by_time, by_cpu = token_ratios(bare, api, options.rounds, options.slice_s)
    end = "the search ends there" if bad is None else f"not {bad}"
    print(f"concurrent streams of one process at 8b-h100, ITL overhead p95 <= {ITL_LIMIT_MS:g} ms: {good} ({end})")
    print(f"tokens at instant, ratio to a bare event stream: {by_time:.2f} per second, {by_cpu:.2f} per CPU second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
