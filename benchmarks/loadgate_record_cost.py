"""Measures the cost of recording one request: loadgate's Recorder.record compared with Locust's own StatsEntry.log.

    python benchmarks/loadgate_record_cost.py [--requests 200000] [--rounds 5] [--median-ms 20]

Both record the same requests: 15 names, lognormal latencies, 300 requests per second. Rounds alternate, so other load
on the machine affects both. The medians are printed. Locust logs every request twice, under its name and in the
total.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from locust.stats import RequestStats

from loadgate.recorder import FinishedRequest, Outcome, Recorder

Request = tuple[str, float, float, int]
NAMES = [f"GET /api/v1/resource/{number}" for number in range(15)]
START_S = 1_700_000_000.0


def requests(count: int, median_ms: float) -> list[Request]:
    rnd = random.Random(1)  # noqa: S311 - the same load each time
    return [
        (
            rnd.choice(NAMES),
            START_S + number / 300,
            median_ms * rnd.lognormvariate(0, 1),
            rnd.randrange(100, 5000),
        )
        for number in range(count)
    ]


def record_with_loadgate(calls: list[Request]) -> None:
    recorder = Recorder()
    success = Outcome.SUCCESS
    for name, start_s, latency_ms, size in calls:
        # By position, as loadgate.generator.request_events makes it.
        recorder.record(FinishedRequest(name, success, start_s, latency_ms, "", size, None, "all"))
    assert recorder.totals().requests == len(calls)


def record_with_locust(calls: list[Request]) -> None:
    stats = RequestStats()
    for name, _, latency_ms, size in calls:
        stats.log_request("GET", name, latency_ms, size)
    assert stats.total.num_requests == len(calls)


def cost_us(function: Callable[[list[Request]], None], calls: list[Request]) -> float:
    begin = time.perf_counter()
    function(calls)
    return (time.perf_counter() - begin) / len(calls) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--median-ms", type=float, default=20, help="median latency; long requests span many seconds")
    options = parser.parse_args()
    calls = requests(options.requests, options.median_ms)
    rounds = [(cost_us(record_with_loadgate, calls), cost_us(record_with_locust, calls)) for _ in range(options.rounds)]
    ours_us, theirs_us = (statistics.median(column) for column in zip(*rounds, strict=True))
    sys.stdout.write(
        f"loadgate Recorder.record   {ours_us:6.2f} us a request (goal: at most 10)\n"
        f"Locust RequestStats.log    {theirs_us:6.2f} us a request\n"
        f"ratio                      {ours_us / theirs_us:6.2f}\n"
    )


if __name__ == "__main__":
    main()
