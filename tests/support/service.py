"""The service as tests see it from outside: real uvicorn and Celery processes on free loopback ports."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from inference_core.app.stack.ports import free_port, is_listening
from tests.support.preloaded import Program, start
from tests.support.processes import stop, wait_until
from tests.support.servers.sqlite import migrate

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "/api/v1"
START_S = 60.0
# Argon2 at its cheapest: these tests are not about passwords.
CHEAP = {"ARGON2_MEMORY_KIB": "8", "ARGON2_TIME_COST": "1", "FAILED_LOGIN_MIN_S": "0"}
# Every call of a test comes from one network.
UNLIMITED = dict.fromkeys(
    ("LOGIN_FAILURES_PER_NETWORK", "PASSWORDS_PER_NETWORK_PER_MINUTE", "MAILS_PER_NETWORK_PER_MINUTE"), "100000"
)


def service_env(folder: Path, redis_url: str, **extra: str) -> dict[str, str]:
    """The environment of a testing service with everything it writes inside `folder`, and a migrated SQLite there."""
    folder.mkdir(parents=True, exist_ok=True)
    database_url = extra.get("DATABASE_URL") or f"sqlite:///{folder / 'service.db'}"
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    env = {
        **keep,
        **CHEAP,
        **UNLIMITED,
        "PYTHONPATH": str(ROOT),
        "ENVIRONMENT": "testing",
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "MAIL_OUTBOX_DIR": str(folder / "outbox"),
        **extra,
    }
    migrate(database_url)
    return env


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A running process of the service and its log."""

    process: Program
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@dataclass(frozen=True, slots=True)
class ApiProcess(ServiceProcess):
    """A running API."""

    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, timeout_s: float = 10.0) -> httpx2.Client:
        # To load the certificates of authorities would take longer than the request.
        return httpx2.Client(base_url=self.url, timeout=timeout_s, trust_env=False, verify=False)

    def get(self, path: str, timeout_s: float = 10.0) -> httpx2.Response:
        with self.client(timeout_s) as client:
            return client.get(f"{PREFIX}{path}")


@contextmanager
def api_process(
    folder: Path,
    env: Mapping[str, str],
    *arguments: str,
    app: str = "tests.support.service_app:app",
    port: int | None = None,
) -> Iterator[ApiProcess]:
    """uvicorn with the service, answering when given."""
    port = port or free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), *arguments]
    log = folder / f"api-{port}.log"
    with _process(log, command, env) as process:
        api = ApiProcess(process, log, f"http://127.0.0.1:{port}")
        wait_until(lambda: process.poll() is not None or answers(api), within_s=START_S, what="the API answering")
        assert process.poll() is None, api.tail()
        yield api


@contextmanager
def worker_process(
    folder: Path, env: Mapping[str, str], name: str = "w1", *arguments: str, concurrency: int = 2
) -> Iterator[ServiceProcess]:
    """A Celery worker `celery@name` with the tests' tasks, ready when given."""
    app = "tests.support.service_tasks:celery_app"
    options = ("--loglevel=info", f"--concurrency={concurrency}", "--hostname", f"celery@{name}", "--without-mingle")
    command = [sys.executable, "-m", "celery", "-A", app, "worker", *options, *arguments]
    log = folder / f"worker-{name}.log"
    written = log.stat().st_size if log.exists() else 0  # by an earlier worker of this name
    with _process(log, command, env) as process:
        worker = ServiceProcess(process, log)
        wait_until(
            lambda: process.poll() is not None or b" ready." in log.read_bytes()[written:],
            within_s=START_S,
            what="the worker ready",
        )
        assert process.poll() is None, worker.tail()
        yield worker


@contextmanager
def _process(log: Path, command: list[str], env: Mapping[str, str]) -> Iterator[Program]:
    with log.open("ab") as stream:
        process = start(command, cwd=log.parent, env=env, stdout=stream, stderr=stream)
        try:
            yield process
        finally:
            stop(process, grace_s=20.0)


def answers(api: ApiProcess) -> bool:
    try:
        return is_listening(api.port) and api.get("/health/live", timeout_s=2.0).status_code == 200
    except httpx2.TransportError:
        return False
