"""Start the disturbed service: PostgreSQL, Redis, and `inference-core up` in a temporary folder."""

from __future__ import annotations

import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibrate.disturbed.router import PREFIX
from benchmarks.calibrate.stubs.started import ROOT
from tests.support.processes import redis_server
from tests.support.servers.postgresql import postgresql_server
from tests.support.stack import clean_environment, running_stack

SERVICE = "benchmarks.calibrate.disturbed.service:service"


@dataclass(frozen=True, slots=True)
class RunningService:
    """The service, ready to answer. `pid` is that of the whole stack, `api_pid` that of the API."""

    url: str
    pid: int
    api_pid: int
    database_url: str
    redis_url: str

    def disturb(self, route: str, seconds: float) -> None:
        """Send a request that disturbs the others for so long."""
        request = urllib.request.Request(f"{self.url}{PREFIX}/{route}?seconds={seconds:g}", method="POST")  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=seconds + 10) as response:  # noqa: S310 - our own server
            response.read()


@contextmanager
def running_service(settings: Mapping[str, str]) -> Iterator[RunningService]:
    """Run the service with settings of its own.

    Raises:
        ServerUnavailableError: if PostgreSQL is not installed.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        postgresql_server() as database,
        redis_server(Path(name)) as (redis_url, _),
    ):
        environment = clean_environment(
            PYTHONPATH=str(ROOT),
            INFERENCE_CORE_SERVICE=SERVICE,
            DATABASE_URL=f"{database.replace('postgresql:', 'postgresql+asyncpg:')}/postgres",
            REDIS_URL=redis_url,
            **settings,
        )
        with running_stack(Path(name) / "service", "--port", "0", "--ephemeral", env=environment) as stack:
            (api_pid,) = [process.pid for process in stack.family() if "serve" in process.cmdline()]
            yield RunningService(stack.url, stack.process.pid, api_pid, f"{database}/postgres", redis_url)
