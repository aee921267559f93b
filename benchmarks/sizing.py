"""Measures what one process of the API and of a worker can do, and what it needs, on PostgreSQL.

For requests, tokens and tasks, it prints the rate and the CPU time of each part. To size a deployment, add up for each
of them the expected rate times the CPU time. It also prints the memory (PSS: a page that several processes share is
divided among them) and the connections of each process.

    python -m benchmarks.sizing [--slice-s 5] [--tasks 2000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import uvloop

from benchmarks.auth_ratio import log_in
from benchmarks.connections import throughput
from benchmarks.llm_client import read_streams
from inference_core.app.stack.ports import free_port, is_listening
from inference_core.core.queue.sender import TaskSender
from tests.support.accounts import new_registration
from tests.support.llm import limits_config
from tests.support.processes import keys_of_service, redis_server, stop, wait_until
from tests.support.servers.databases import create_database
from tests.support.servers.postgresql import postgresql_server
from tests.support.service import service_env, worker_process
from tests.support.settings import Settings, service

MIB = 1024 * 1024
API = "/api/v1"
STREAM = f"{API}/llm/explain/stream"
STREAMS = 100
SETTLE_S = 2.0
HEAD = "| what | rate | API | worker | PostgreSQL | Redis |\n| --- | ---: | ---: | ---: | ---: | ---: |"
SETTINGS = {
    "ARGON2_MEMORY_KIB": "19456",
    "ARGON2_TIME_COST": "2",
    "ALLOW_LIVE_LLM": "0",
    "LLM_SIMULATOR_SPEED": "8b-h100",
    "LLM_SIMULATOR_MAX_NUM_SEQS": "10000",
}


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and its descendants."""
    return [process, *process.children(recursive=True)]


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its descendants so far."""
    return sum(sum(one.cpu_times()[:2]) for one in family(process))


def pss_mib(process: psutil.Process) -> float:
    """Return the PSS of one process in MiB."""
    return float(process.memory_full_info().pss) / MIB


class Parts:
    """The processes whose CPU time is measured, by name."""

    def __init__(self, **processes: psutil.Process) -> None:
        self._processes = processes

    @contextmanager
    def measured(self, spent: dict[str, float]) -> Iterator[None]:
        """Store the CPU seconds that each part spends inside the block."""
        before = {name: cpu_s(process) for name, process in self._processes.items()}
        yield
        spent |= {name: cpu_s(process) - before[name] for name, process in self._processes.items()}


def row(what: str, count: float, took_s: float, spent: Mapping[str, float]) -> None:
    """Print the rate of something, and the CPU time that each part spends for one of it."""
    cells = [f"{1000 * spent.get(part, 0.0) / count:.2f} ms" for part in ("api", "worker", "database", "redis")]
    print(f"| {what} | {count / took_s:,.0f}/s | {' | '.join(cells)} |", flush=True)


@contextmanager
def api(folder: Path, env: Mapping[str, str], workers: int) -> Iterator[tuple[psutil.Process, int]]:
    """Run the API as in production, with `workers` processes. Yield its main process and its port."""
    port = free_port()
    command = [sys.executable, "-m", "inference_core", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / f"api-{workers}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--workers", str(workers)], cwd=folder, env=dict(env), stdout=log, stderr=log
        )
        try:
            wait_until(lambda: is_listening(port), within_s=60, what="the API listening")
            time.sleep(SETTLE_S)
            yield psutil.Process(process.pid), port
        finally:
            stop(process, grace_s=20)


def measure_requests(parts: Parts, port: int, account: dict[str, str], slice_s: float) -> None:
    """Print a row for each kind of request, over 16 connections."""
    bearer = {"Authorization": f"Bearer {log_in(f'http://127.0.0.1:{port}', account)}"}
    login = {"username": account["username"], "password": account["password"]}
    kinds: tuple[tuple[str, str, str, dict[str, str], object], ...] = (
        ("`GET /health/ping`", "GET", "/health/ping", {}, None),
        ("`GET /auth/me`", "GET", "/auth/me", bearer, None),
        ("`PUT /auth/me`", "PUT", "/auth/me", bearer, {"first_name": "Ada"}),
        ("`POST /auth/login`", "POST", "/auth/login", {}, login),
    )
    for what, method, path, headers, content in kinds:
        body = b"" if content is None else json.dumps(content).encode()
        spent: dict[str, float] = {}
        began = time.monotonic()
        with parts.measured(spent):
            per_s = uvloop.run(throughput(port, API + path, slice_s, headers, method=method, body=body))
        row(what, per_s * slice_s, time.monotonic() - began, spent)


def measure_tokens(parts: Parts, main: psutil.Process, port: int, hold_s: float) -> None:
    """Print a row for the tokens of concurrent streams, and the memory of a stream."""
    spent: dict[str, float] = {}
    before_mib = sum(map(pss_mib, family(main)))
    largest_mib = 0.0

    async def streams() -> tuple[int, int]:
        nonlocal largest_mib
        reading = asyncio.create_task(read_streams(port, STREAM, STREAMS, ramp_s=1.0, hold_s=hold_s))
        await asyncio.sleep(hold_s / 2)
        largest_mib = await asyncio.to_thread(lambda: sum(map(pss_mib, family(main))))
        seen = await reading
        return seen.tokens, seen.all_tokens

    with parts.measured(spent):
        in_hold, all_tokens = uvloop.run(streams())
    scaled = {name: seconds * in_hold / all_tokens for name, seconds in spent.items()}
    row(f"a token of {STREAMS} streams", in_hold, hold_s, scaled)
    print(f"\nmemory of a stream: {1024 * max(0.0, largest_mib - before_mib) / STREAMS:.0f} KiB", flush=True)


def measure_tasks(folder: Path, env: Mapping[str, str], redis_url: str, redis: psutil.Process, tasks: int) -> None:
    """Print a row for tasks that only add two numbers, by a worker with one process for tasks, and its memory."""
    settings = Settings(_env_file=None, redis_url=redis_url)

    async def send() -> None:
        async with TaskSender.open(service, settings) as sender:
            for number in range(tasks):
                await sender.send("test.add", number, 1, task_id=f"sizing-{number}")

    asyncio.run(send())
    with worker_process(folder, env, "one", concurrency=1) as worker:
        main = psutil.Process(worker.pid)
        spent: dict[str, float] = {}
        began = time.monotonic()
        with keys_of_service(redis_url) as keys, Parts(worker=main, redis=redis).measured(spent):
            waiting = int(keys.llen("default"))
            wait_until(lambda: not keys.llen("default") and not keys.hlen("unacked"), within_s=300, what="the tasks")
        row("a short task", waiting, time.monotonic() - began, spent)
    with worker_process(folder, env, "more", concurrency=2) as worker:
        time.sleep(SETTLE_S)
        sizes = [pss_mib(one) for one in family(psutil.Process(worker.pid))]
        print(f"worker: main process {sizes[0]:.0f} MiB, each process for tasks {max(sizes[1:]):.0f} MiB", flush=True)


def listener(port: int) -> psutil.Process:
    """Return the main process of the PostgreSQL server at a port."""
    servers = (one for one in psutil.process_iter() if one.name() == "postgres" and str(port) in one.cmdline())
    return next(servers)


def connections_of(process: psutil.Process, port: int) -> int:
    """Return how many connections to a port a process has."""
    found = process.net_connections("tcp")
    return sum(1 for one in found if one.raddr and one.raddr.port == port and one.status == "ESTABLISHED")


def print_needs(main: psutil.Process, database_port: int, redis_port: int) -> None:
    """Print the memory and the connections of each process of the API."""
    for process in family(main):
        to_database, to_redis = connections_of(process, database_port), connections_of(process, redis_port)
        print(
            f"{'API' if process == main else 'child of it'}, process {process.pid}: {pss_mib(process):.0f} MiB, "
            f"{to_database} connections to PostgreSQL, {to_redis} to Redis",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slice-s", type=float, default=5.0, help="time of each kind of request and of the streams")
    parser.add_argument("--tasks", type=int, default=2000)
    options = parser.parse_args()
    account = new_registration()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_url, redis_process = stack.enter_context(redis_server(folder / "redis"))
        redis, redis_port = psutil.Process(redis_process.pid), int(redis_url.rpartition(":")[2].partition("/")[0])
        server_url = stack.enter_context(postgresql_server())
        database_port = int(server_url.rpartition(":")[2])
        files = {"DATABASE_URL": create_database(server_url, "sizing"), "LLM_CONFIG_FILE": str(limits_config(folder))}
        env = service_env(folder, redis_url, **SETTINGS, **files)
        print(
            "| what | rate | API | worker | PostgreSQL | Redis |\n| --- | ---: | ---: | ---: | ---: | ---: |",
            flush=True,
        )
        with api(folder, env, 1) as (process, port):
            print_needs(process, database_port, redis_port)
            parts = Parts(api=process, database=listener(database_port), redis=redis)
            measure_requests(parts, port, account, options.slice_s)
            measure_tokens(parts, process, port, options.slice_s)
            print_needs(process, database_port, redis_port)
        with api(folder, env, 2) as (process, _):
            print_needs(process, database_port, redis_port)
        measure_tasks(folder, env, redis_url, redis, options.tasks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
