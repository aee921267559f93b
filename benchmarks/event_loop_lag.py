"""Measures the lag of the service's event loop under a load profile, with the service's own metric.

The stack of `inference-core up` and the load generator share this machine, so the lag includes the time that the thread
of the event loop waits for a core. The service samples the lag every 20 ms. The result is the difference between two
readings of the histogram after all users have started.

    python benchmarks/event_loop_lag.py [--profile heavy] [--seconds 60]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.profile_run import stack_under_profile

TARGET_MS = 50.0
ARRIVAL_S = 15
BUCKET = re.compile(r'^event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)

# Upper bounds in seconds, and the number of lags up to each bound.
Histogram = list[tuple[float, float]]


def read_histogram(url: str) -> Histogram:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:  # noqa: S310  # a loopback URL of our own
        text = response.read().decode()
    return [(float(bound), float(count)) for bound, count in BUCKET.findall(text)]


def difference(before: Histogram, after: Histogram) -> Histogram:
    return [(bound, count - earlier) for (bound, count), (_, earlier) in zip(after, before, strict=True)]


def quantile_s(histogram: Histogram, share: float) -> float:
    """Return a quantile, interpolated within its bucket; infinite in the last bucket."""
    wanted = histogram[-1][1] * share
    below_bound, below_count = 0.0, 0.0
    for bound, count in histogram:
        if count >= wanted:
            return below_bound + (bound - below_bound) * (wanted - below_count) / max(count - below_count, 1e-9)
        below_bound, below_count = bound, count
    return below_bound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--profile", default="heavy")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run_time_s = ARRIVAL_S + options.seconds + 5
        with stack_under_profile(Path(name), options.profile, run_time_s) as (stack, generator):
            time.sleep(ARRIVAL_S)
            before = read_histogram(stack.url)
            time.sleep(options.seconds)
            lags = difference(before, read_histogram(stack.url))
            assert generator.poll() is None, (Path(name) / "locust.log").read_text()
    p50, p99, p999 = (quantile_s(lags, share) * 1000 for share in (0.5, 0.99, 0.999))
    print(f"event-loop lag under {options.profile}: {lags[-1][1]:.0f} samples in {options.seconds} s")
    print(f"p50 {p50:.1f} ms   p99 {p99:.1f} ms   p99.9 {p999:.1f} ms   (target p99.9 {TARGET_MS:.0f} ms)")
    return int(p999 > TARGET_MS)


if __name__ == "__main__":
    sys.exit(main())
