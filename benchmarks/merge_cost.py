"""Measures how much of a CPU core a master needs to merge the reports of its workers.

    python -m benchmarks.merge_cost [--workers 100] [--rate 20] [--seconds 60]

Each worker measures `--rate` requests per second with 15 names, and reports every 3 s, as Locust's workers do. Only
decoding and merging are timed. The exit code is 1 if they need more than a tenth of a core.
"""

import argparse
import random
import sys
import time

from locust.rpc import Message
from locust.runners import WORKER_REPORT_INTERVAL

from loadgate.recorder import FinishedRequest, Outcome, Recorder

NAMES = [f"GET /api/v1/resource/{number}" for number in range(15)]
START_S = 1_700_000_000.0
MOST = 0.1


def reports(number: int, rate_per_s: float, seconds: float) -> list[bytes]:
    """Return the messages of one worker, as they are sent."""
    rnd = random.Random(number)  # noqa: S311 - the same load each time
    recorder, messages, next_s = Recorder(), [], WORKER_REPORT_INTERVAL
    for index in range(int(rate_per_s * seconds)):
        at_s = index / rate_per_s
        if at_s >= next_s:
            messages.append(recorder.take_delta())
            next_s += WORKER_REPORT_INTERVAL
        name, latency_ms = rnd.choice(NAMES), 50 * rnd.lognormvariate(0, 1)
        group = name[-1]
        recorder.record(
            FinishedRequest(
                name, Outcome.SUCCESS, START_S + at_s, latency_ms, group, rnd.randrange(100, 5000), None, "all"
            )
        )
    messages.append(recorder.take_delta(final=True))
    return [Message("loadgate_report", {"run": "run", "report": delta}, str(number)).serialize() for delta in messages]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second and worker")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the simulated run")
    options = parser.parse_args()
    sent = [reports(number, options.rate, options.seconds) for number in range(options.workers)]
    master, size = Recorder(), 0
    began = time.process_time()
    for of_all in zip(*sent, strict=True):
        for data in of_all:
            message = Message.unserialize(data)
            assert master.merge_delta(message.data["report"], message.node_id)
            size += len(data)
    share = (time.process_time() - began) / options.seconds
    expected = options.workers * int(options.rate * options.seconds)
    assert master.totals().requests == expected, (master.totals().requests, expected)
    count = options.workers * len(sent[0])
    print(f"{options.workers} workers, {options.rate:g} requests/s each, {expected:,} requests in {count:,} reports")
    print(f"size of a report: {size / count / 1024:.1f} KiB")
    print(f"decoding and merging: {100 * share:.2f} % of a core (limit {100 * MOST:.0f} %)")
    return 0 if share <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
