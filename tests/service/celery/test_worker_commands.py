"""Test the commands for workers of single queues, for beat, and for the health check of a worker."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from celery.utils.nodenames import default_nodename
from redis import Redis
from typer.testing import CliRunner

from inference_core.app.cli import command_line
from inference_core.app.stack.ports import LOOPBACK, free_port
from inference_core.app.stack.worker import (
    UnknownQueueError,
    WorkerSilentError,
    beat_command,
    require_heartbeat,
    worker_command,
)
from inference_core.core.queue.heartbeat import write_report
from inference_core.core.queue.worker_state import WORKERS_KEY, WorkerReport
from inference_core.core.redis.client import broker_client
from inference_core.service import service
from tests.support.processes import stop, wait_until
from tests.support.service import service_env
from tests.support.settings import Settings
from tests.support.stack import BIN

REPORT: WorkerReport = {
    "phase": "running",
    "queues": ["mail"],
    "registered": [],
    "active": [],
    "reserved": [],
    "scheduled": [],
    "stats": {},
}
NAME = "checked"
NODE = default_nodename(f"{NAME}@")


def test_a_worker_takes_the_queues_that_are_named() -> None:
    settings = Settings(_env_file=None)
    assert "--queues=default,llm_tasks,mail" in worker_command(service, settings, 2)
    assert "--queues=mail,default" in worker_command(service, settings, 2, queues=["mail", "default"])
    with pytest.raises(UnknownQueueError, match="there is no queue 'mails'; the queues are default, llm_tasks, mail"):
        worker_command(service, settings, 2, queues=["default", "mails"])


def test_an_unknown_queue_is_refused_in_one_line() -> None:
    result = CliRunner().invoke(command_line(service), ["worker", "--queues", "mail, mails"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "there is no queue 'mails'" in result.stderr


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(_env_file=None, redis_url=redis_url, redis_prefix="worker-commands")


def test_a_check_asks_for_a_recent_heartbeat(settings: Settings) -> None:
    with broker_client(settings) as redis:
        redis.delete(WORKERS_KEY)
        with pytest.raises(WorkerSilentError, match=f"the worker {NODE} has no heartbeat"):
            require_heartbeat(settings, NAME)
        write_report(redis, NODE, REPORT)
        require_heartbeat(settings, NAME)
        _, _, report = redis.hget(WORKERS_KEY, NODE).partition(b" ")
        before_ms = (redis.time()[0] - 100) * 1000
        redis.hset(WORKERS_KEY, NODE, b"%d %s" % (before_ms, report))
    with pytest.raises(WorkerSilentError, match=f"the last heartbeat of the worker {NODE} is 10[0-9] s old"):
        require_heartbeat(settings, NAME)


def test_a_check_passes_without_the_broker() -> None:
    settings = Settings(_env_file=None, redis_url=f"redis://{LOOPBACK}:{free_port()}/0")
    require_heartbeat(settings, NAME)


@pytest.mark.process
@pytest.mark.full
def test_a_worker_of_one_queue_runs_what_beat_sends(redis_url: str, tmp_path: Path) -> None:
    """Run both commands as the containers do: with a writable temporary folder only."""
    env = service_env(
        tmp_path, redis_url, REDIS_PREFIX="worker-of-one-queue", PURGE_INTERVAL_S="1", TMPDIR=str(tmp_path)
    )
    log = tmp_path / "log"

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        command = [BIN / "inference-core", *arguments]
        return subprocess.Popen(command, cwd=tmp_path, env=env, stdout=stream, stderr=stream)

    with log.open("ab") as stream, closing(Redis.from_url(redis_url)) as redis:
        worker = run("worker", "--queues", "default", "--concurrency", "1", "--name", NAME)
        beat = run("beat")
        try:
            wait_until(lambda: b"maintenance.purge_expired" in log.read_bytes(), within_s=60, what="a periodic task")
            wait_until(lambda: redis.hexists("worker-of-one-queue:workers", NODE), within_s=60, what="a heartbeat")
            check = run("check-worker", "--name", NAME)
            assert check.wait(60) == 0, log.read_text()
        finally:
            stop(beat)
            stop(worker, grace_s=20)
    assert list(tmp_path.glob("celerybeat-schedule*"))


def test_beat_stores_only_in_the_temporary_folder() -> None:
    command = beat_command(Settings(_env_file=None))
    assert "--pidfile=" in command
    assert f"--schedule={Path(tempfile.gettempdir()) / 'celerybeat-schedule'}" in command
