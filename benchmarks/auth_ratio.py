"""Measures the cost of accounts as ratios: reading the profile, logging in, and answering other requests meanwhile.

`GET /auth/me` is compared with a bare FastAPI route with the same response size under the same server, over 16
connections, in alternating slices. The logins per second are compared with the hashes per second that the cores can
compute. `/health/ping` is timed while 8 clients log in without a pause.

    python benchmarks/auth_ratio.py [--database sqlite|postgresql] [--rounds 5] [--slice-s 1.0]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.connections import port_of, throughput
from inference_core.auth.passwords.hashing import Passwords, usable_cores
from tests.support.accounts import new_registration
from tests.support.processes import redis_server
from tests.support.servers.databases import create_database
from tests.support.servers.postgresql import postgresql_server
from tests.support.service import api_process, service_env
from tests.support.settings import Settings

ME = "/api/v1/auth/me"
ME_TARGET = 0.40
LOGINS_TARGET = 0.80
PING_P99_TARGET_MS = 50.0
LOGIN_CLIENTS = 8
LOGIN_S = 5.0


def log_in(url: str, account: dict[str, str]) -> str:
    with httpx2.Client(base_url=f"{url}/api/v1", trust_env=False) as client:
        client.post("/auth/register", json=account)
        return str(client.post("/auth/login", json=account).json()["access_token"])


def measure_me(bare: int, service: int, token: str, rounds: int, slice_s: float) -> float:
    """Return the median ratio of the profile's throughput to the bare route's over all rounds."""
    ratios = []
    for _ in range(rounds):
        before = uvloop.run(throughput(bare, "/profile", slice_s))
        value = uvloop.run(throughput(service, ME, slice_s, {"Authorization": f"Bearer {token}"}))
        after = uvloop.run(throughput(bare, "/profile", slice_s))
        ratios.append(value / ((before + after) / 2))
        print(f"  {ME:16} {value:7.0f}/s   bare {before:7.0f}/s {after:7.0f}/s", flush=True)
    return statistics.median(ratios)


def hashes_per_s() -> float:
    """Return the hashes per second that all cores can compute, in threads of this process."""
    passwords = Passwords(Settings(_env_file=None))
    count = 20 * usable_cores()
    with ThreadPoolExecutor(usable_cores()) as threads:
        start = time.perf_counter()
        list(threads.map(passwords._hasher.hash, ["SecurePass123!"] * count))  # noqa: SLF001
        took_s = time.perf_counter() - start
    passwords.close()
    return count / took_s


async def logins_and_pings(url: str, account: dict[str, str]) -> tuple[float, float]:
    """Return the logins per second of 8 clients, and the p99 of a ping meanwhile in ms."""
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", timeout=30, trust_env=False) as client:
        until = time.perf_counter() + LOGIN_S

        async def keep_logging_in() -> int:
            count = 0
            while time.perf_counter() < until:
                assert (await client.post("/auth/login", json=account)).status_code == 200
                count += 1
            return count

        async def keep_pinging() -> list[float]:
            times_ms = []
            while time.perf_counter() < until:
                start = time.perf_counter()
                assert (await client.get("/health/ping")).status_code == 200
                times_ms.append((time.perf_counter() - start) * 1000)
                await asyncio.sleep(0.01)
            return times_ms

        *counts, times_ms = await asyncio.gather(*(keep_logging_in() for _ in range(LOGIN_CLIENTS)), keep_pinging())
    return sum(counts) / LOGIN_S, sorted(times_ms)[int(len(times_ms) * 0.99)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slice-s", type=float, default=1.0)
    options = parser.parse_args()
    account = new_registration()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_url, _ = stack.enter_context(redis_server(folder / "redis"))
        real_cost = {"ARGON2_MEMORY_KIB": "19456", "ARGON2_TIME_COST": "2"}
        if options.database == "postgresql":
            server = stack.enter_context(postgresql_server())
            real_cost["DATABASE_URL"] = create_database(server, "benchmark")
        env = service_env(folder, redis_url, **real_cost)
        bare = stack.enter_context(api_process(folder, env, "--no-access-log", app="benchmarks.bare:app"))
        service = stack.enter_context(api_process(folder, env, app="inference_core.main:app"))
        token = log_in(service.url, account)
        me = measure_me(port_of(bare.url), port_of(service.url), token, options.rounds, options.slice_s)
        before = hashes_per_s()
        logins, ping_p99_ms = asyncio.run(logins_and_pings(service.url, account))
        logins_ratio = logins / ((before + hashes_per_s()) / 2)
    print(f"{ME} on {options.database}: {me:.2f} of a bare route (target {ME_TARGET:.2f})")
    print(f"logins: {logins_ratio:.2f} of the hashes per second of the cores (target {LOGINS_TARGET:.2f})")
    print(f"ping while logging in: p99 {ping_p99_ms:.1f} ms (target {PING_P99_TARGET_MS:.0f})")
    return int(me < ME_TARGET or logins_ratio < LOGINS_TARGET or ping_p99_ms > PING_P99_TARGET_MS)


if __name__ == "__main__":
    sys.exit(main())
