"""What one API process does for token streams, against the simulated model.

Held at once: at the speed `8b-h100`, how many streams before the overhead of the gaps between tokens (ITL: served minus
planned) passes 5 ms at p95. The number is doubled until it does, then halved in; every reader reads stream after
stream. Tokens a second: at the speed `instant`, over 16 connections, as a share of a bare endpoint that sends events
of the same size under the same server, in slices that alternate.

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


def p95(values: list[float]) -> float:
    """The 95th percentile, nearest rank."""
    return sorted(values)[ceil(0.95 * len(values)) - 1] if values else 0.0


def keeps_up(port: int, streams: int, hold_s: float) -> bool:
    """Whether so many streams at once stay within the limit; prints what was seen."""
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
    """The largest number tried that keeps up, and the smallest that does not; None if all did."""
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


def token_ratio(bare: int, service: int, rounds: int, slice_s: float) -> float:
    """The median over the rounds of the service's tokens a second to the bare endpoint's beside it."""

    def tokens_per_s(port: int, path: str) -> float:
        seen: Seen = uvloop.run(read_streams(port, path, CONNECTIONS, ramp_s=0.2, hold_s=slice_s))
        return seen.tokens / slice_s

    ratios = []
    for _ in range(rounds):
        before = tokens_per_s(bare, "/stream")
        value = tokens_per_s(service, STREAM)
        after = tokens_per_s(bare, "/stream")
        ratios.append(value / ((before + after) / 2))
        print(f"  {value:7.0f} tokens/s   bare {before:7.0f}/s {after:7.0f}/s", flush=True)
    return statistics.median(ratios)


@contextmanager
def service_at(speed: str, folder: Path, redis_url: str) -> Iterator[ApiProcess]:
    """One API process without limits for its users, whose simulated machine has room for every stream."""
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
            ratio = token_ratio(port_of(bare.url), port_of(api.url), options.rounds, options.slice_s)
    end = "the search ends there" if bad is None else f"not {bad}"
    print(f"streams held by one process at 8b-h100, ITL overhead p95 <= {ITL_LIMIT_MS:g} ms: {good} ({end})")
    print(f"tokens a second at instant speed: {ratio:.2f} of a bare event stream")
    return 0


if __name__ == "__main__":
    sys.exit(main())
