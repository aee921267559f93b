"""What the machine does to the service: no file descriptors, full logs, names that are not found, a stop, a clock."""

from __future__ import annotations

import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from inference_core.app.stack.ports import LOOPBACK, free_port
from tests.service.faults.conftest import OwnRedis
from tests.support import preloaded
from tests.support.accounts import new_registration
from tests.support.processes import wait_until
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.service import PREFIX, ApiProcess, api_process, service_env, worker_process

pytestmark = pytest.mark.full

# Nothing has this name, whoever is asked (RFC 6761).
NOWHERE = "nowhere.invalid"
TEN_MINUTES_S = 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "service"


def sign_in(client: httpx2.Client) -> dict[str, str]:
    account = new_registration()
    assert client.post(f"{PREFIX}/auth/register", json=account).status_code == 201
    tokens: dict[str, str] = client.post(f"{PREFIX}/auth/login", json=account).json()
    return tokens


def me(client: httpx2.Client, tokens: dict[str, str]) -> int:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return client.get(f"{PREFIX}/auth/me", headers=headers).status_code


def test_without_file_descriptors_those_who_ask_are_served_and_those_who_are_silent_make_room(
    folder: Path, own_redis: OwnRedis
) -> None:
    with api_process(folder, service_env(folder, own_redis.url)) as api, api.client() as client, ExitStack() as crowd:
        tokens = sign_in(client)
        assert me(client, tokens) == 200
        _, hard = resource.prlimit(api.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(api.pid, resource.RLIMIT_NOFILE, (256, hard))
        for _ in range(400):
            crowd.enter_context(socket.create_connection((LOOPBACK, api.port), timeout=5))
        for _ in range(20):
            assert client.get(f"{PREFIX}/health/ping").status_code == 200
        # Before the crowd has gone, by a new connection and with what the database and Redis need.
        wait_until(lambda: answers(api), what="new connections served")
        wait_until(lambda: me(client, tokens) == 200)
        assert len(list(Path(f"/proc/{api.pid}/fd").iterdir())) < 256
        assert api.process.poll() is None


def answers(api: ApiProcess, timeout_s: float = 2.0) -> bool:
    try:
        return api.get("/health/live", timeout_s=timeout_s).status_code == 200
    except httpx2.TransportError:
        return False


def test_a_full_log_volume_costs_the_lines_and_nothing_else(folder: Path, own_redis: OwnRedis) -> None:
    env = service_env(folder, own_redis.url)
    port = free_port()
    (folder / f"api-{port}.log").symlink_to("/dev/full")
    with api_process(folder, env, port=port) as api, api.client() as client:
        tokens = sign_in(client)
        # More than is collected before it is written, so that some writing happens while a request is served.
        assert {me(client, tokens) for _ in range(450)} == {200}
        assert client.post(f"{PREFIX}/test/break/1", json={}).status_code == 500

        def lost() -> float:
            (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith("log_lines_lost_t")]
            return float(line.split()[1])

        wait_until(lambda: lost() >= 450)
        assert api.get("/health/ready").status_code == 200


def test_a_redis_host_without_an_address_is_an_outage_like_any_other(folder: Path) -> None:
    env = service_env(folder, f"redis://{NOWHERE}:6379/0")
    with api_process(folder, env) as api, api.client(timeout_s=30) as client:
        account = new_registration()
        assert client.post(f"{PREFIX}/auth/register", json=account).status_code == 201
        login = client.post(f"{PREFIX}/auth/login", json=account)
        assert (login.status_code, login.headers["content-type"]) == (503, "application/problem+json")
        assert NOWHERE not in login.text
        health = api.get("/health/")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert api.get("/health/ping").status_code == 200


@pytest.mark.parametrize("environment", ["testing", "production"])
def test_a_database_host_without_an_address_is_said_in_one_line_or_waited_for(
    environment: str, folder: Path, own_redis: OwnRedis
) -> None:
    """In development the start is refused; in production the process waits for its database, not ready."""
    env = service_env(folder, own_redis.url) | {
        "DATABASE_URL": f"postgresql://user@{NOWHERE}/name",
        "ENVIRONMENT": environment,
        "SECRET_KEY": "s" * 32,
        "LOG_FORMAT": "console",
    }
    if environment == "production":
        with api_process(folder, env, app="inference_core.main:app") as api:
            assert api.get("/health/ready").status_code == 503
            assert api.get("/health/").json()["components"]["database"]["status"] == "unhealthy"
        return
    command = [sys.executable, "-m", "uvicorn", "inference_core.main:app", "--port", str(free_port())]
    ended = preloaded.run(command, env=env, cwd=folder)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert f"database: cannot migrate postgresql+asyncpg://user@{NOWHERE}/name" in ended.stderr


def test_a_stopped_process_is_not_live_and_goes_on_where_it_was(folder: Path, own_redis: OwnRedis) -> None:
    env = service_env(folder, own_redis.url)
    with worker_process(folder, env), api_process(folder, env) as api, api.client(timeout_s=30) as client:
        wait_until(lambda: api.get("/tasks/health").json()["active_workers"] == 1)
        tokens = sign_in(client)
        api.process.send_signal(signal.SIGSTOP)
        try:
            assert not answers(api, timeout_s=3.0)
        finally:
            api.process.send_signal(signal.SIGCONT)
        assert me(client, tokens) == 200
        assert answers(api, timeout_s=30)
        wait_until(lambda: api.get("/tasks/health").json()["active_workers"] == 1, what="the worker still known")
        assert client.post(f"{PREFIX}/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 200


@contextmanager
def movable_clock(folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """The environment of a process whose clock goes by a file's word, and the file."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        skip_or_fail(ServerUnavailableError("libfaketime is not installed; on Debian: apt-get install libfaketime"))
    moved = folder / "clock"
    moved.write_text("+0\n")
    yield (
        {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(moved),
            "FAKETIME_NO_CACHE": "1",
            # What measures durations does not jump with the time of day.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        },
        moved,
    )


@pytest.mark.parametrize("jump_s", [TEN_MINUTES_S, -TEN_MINUTES_S])
def test_a_jumping_clock_logs_nobody_out(jump_s: int, folder: Path, own_redis: OwnRedis) -> None:
    env = service_env(folder, own_redis.url)
    with movable_clock(folder) as (faked, clock), api_process(folder, env | faked) as api, api.client() as client:
        before = sign_in(client)
        assert me(client, before) == 200
        time_before = client.get(f"{PREFIX}/health/ping").json()["timestamp"]
        clock.write_text(f"{jump_s:+d}\n")
        wait_until(lambda: jumped(client, time_before) * jump_s > TEN_MINUTES_S / 2 * abs(jump_s), what="the jump")
        assert me(client, before) == 200
        after = client.post(f"{PREFIX}/auth/refresh", json={"refresh_token": before["refresh_token"]})
        assert after.status_code == 200
        assert me(client, after.json()) == 200
        assert me(client, sign_in(client)) == 200
        wait_until(lambda: api.get("/health/").json()["components"]["redis"]["status"] == "healthy")
        clock.write_text("+0\n")
        wait_until(lambda: abs(jumped(client, time_before)) < TEN_MINUTES_S / 2, what="the jump back")
        # A token of a clock that was ahead may not be valid yet; the session is.
        again = client.post(f"{PREFIX}/auth/refresh", json={"refresh_token": after.json()["refresh_token"]})
        assert again.status_code == 200
        assert me(client, again.json()) == 200


def jumped(client: httpx2.Client, before: str) -> float:
    from datetime import datetime

    now = client.get(f"{PREFIX}/health/ping").json()["timestamp"]
    return (datetime.fromisoformat(now) - datetime.fromisoformat(before)).total_seconds()
