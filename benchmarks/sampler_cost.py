"""Measures what the sampler of the target's resources costs, in CPU time of one core.

    python benchmarks/sampler_cost.py [--seconds 60] [--processes 5] [--limit 0.5]

The sampler measures five processes in three parts, and scrapes ten quantities from an exposition of 400 samples. The
kernel counts its CPU time, from the first sample on. The start-up is measured separately. The exit code is 1 if the
cost is at least the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from loadgate.sampler.configuration import Configuration, MetricSource, ProcessSource

ROUTES = 40
BUCKETS = 8
QUANTITIES = 10


def exposition() -> bytes:
    """Return 400 samples, as a service with 40 routes exposes them."""
    lines = [
        f'request_seconds_bucket{{route="/api/v1/resource/{route}",le="{bucket}"}} {route * bucket}'
        for route in range(ROUTES)
        for bucket in range(BUCKETS)
    ]
    lines += [
        f'request_seconds_{part}{{route="/{route}"}} 7.25' for route in range(ROUTES) for part in ("sum", "count")
    ]
    for number in range(QUANTITIES):
        lines += [f'pool_{number}{{state="{state}"}} 5' for state in ("used", "size", "idle")]
        lines += [f"wait_{number}_seconds_{part} 12.5" for part in ("sum", "count")]
    return ("\n".join(lines) + "\n").encode()


class Exposition(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = exposition()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def target(processes: int) -> Iterator[int]:
    """Start processes that wait, as children of one. Return the process id of the parent."""
    text = "import subprocess, sys\n"
    text += f"for _ in range({processes - 1}): subprocess.Popen([sys.executable, '-c', 'input()'])\n"
    text += "print(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", text], **PIPES) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        try:
            yield parent.pid
        finally:
            for process in psutil.Process(parent.pid).children():
                process.kill()
            parent.kill()


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


def configuration(pid: int, url: str) -> Configuration:
    sources = [
        MetricSource(
            "db",
            f"q{number}",
            url,
            f"w{number}",
            used=f'pool_{number}{{state=~"used|idle"}}',
            limit=f'pool_{number}{{state="size"}}',
            wait=f"wait_{number}_seconds",
        )
        for number in range(QUANTITIES)
    ]
    parts = (
        ProcessSource("target"),
        ProcessSource("parent", command="subprocess"),
        ProcessSource("child", command="-c i"),
    )
    return Configuration(pid=pid, processes=parts, metrics=tuple(sources))


def measure(config: Configuration, seconds: float) -> tuple[float, float, float, float]:
    """Return the start-up time, its CPU time, the CPU share by the kernel, and the share that the sampler reports."""
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-P", "-m", "loadgate.sampler", str(os.getpid())], **PIPES) as sampler:
        assert sampler.stdin is not None
        assert sampler.stdout is not None
        sampler.stdin.write(config.to_json().encode() + b"\n")
        sampler.stdin.flush()
        sampler.stdout.readline()
        start_s = time.perf_counter() - began
        output = sampler.stdout
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.extend(output))
        reader.start()
        process = psutil.Process(sampler.pid)
        times = process.cpu_times()
        start_cpu_s, from_s = times.user + times.system, time.perf_counter()
        time.sleep(seconds)
        times, passed_s = process.cpu_times(), time.perf_counter() - from_s
        share = (times.user + times.system - start_cpu_s) / passed_s
        sampler.stdin.close()
        reader.join()
    return start_s, start_cpu_s, share, float(json.loads(lines[-1])["cpu_share"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="(default: 60)")
    parser.add_argument("--processes", type=int, default=5, help="(default: 5)")
    parser.add_argument("--limit", type=float, default=0.5, help="in percent of a core (default: 0.5)")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Exposition)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with target(options.processes) as pid:
        config = configuration(pid, f"http://127.0.0.1:{server.server_address[1]}/metrics")
        start_s, start_cpu_s, share, reported = measure(config, options.seconds)
    print(f"start-up: first line after {start_s * 1000:.0f} ms, {start_cpu_s * 1000:.0f} ms of CPU time")
    print(
        f"{options.processes} processes, {QUANTITIES} quantities, {len(list(psutil.pids()))} processes of the machine"
    )
    print(f"cost: {share:.2%} of a core, limit {options.limit} %; the sampler reports {reported:.2%}")
    sys.exit(share * 100 >= options.limit)


if __name__ == "__main__":
    main()
