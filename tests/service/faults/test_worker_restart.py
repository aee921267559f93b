"""Workers that are killed and started again with the same name and the same process id, as in containers."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from celery.utils.nodenames import default_nodename
from redis import Redis

from inference_core.core.queue.worker_state import SILENT_AFTER_MS, WORKERS_KEY, decode_entry
from inference_core.core.redis.client import broker_client
from tests.service.celery.test_worker_names import silence_of
from tests.support.processes import stop, wait_until
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.service import service_env
from tests.support.settings import Settings
from tests.support.stack import BIN

pytestmark = [pytest.mark.full, pytest.mark.process]

NODE = default_nodename("contained@")
# Each worker is process 1 of its own namespace, and the kernel kills it with the process that started it.
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
START_S = 120.0
StartWorker = Callable[[], "Contained"]


class Contained:
    """A worker in a process namespace of its own, and its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the main process of the worker."""
        (main,) = psutil.Process(self.process.pid).children()
        main.send_signal(number)

    def kill(self) -> None:
        """End the worker as the kernel does when its container has no memory left."""
        self.send(signal.SIGKILL)
        self.process.wait(30)

    def exit_code(self) -> int:
        return self.process.wait(START_S)


@pytest.fixture
def start_worker(tmp_path: Path, redis_url: str) -> Iterator[StartWorker]:
    probe = subprocess.run([*CONTAINER, "true"], capture_output=True, check=False) if shutil.which("unshare") else None
    if probe is None or probe.returncode:
        skip_or_fail(ServerUnavailableError("process namespaces cannot be made; run the tests as root on Linux"))
    env = service_env(tmp_path, redis_url, REDIS_PREFIX="worker-restart")
    with ExitStack() as stack:
        numbers = iter(range(100))
        yield lambda: stack.enter_context(contained(env, tmp_path / f"worker-{next(numbers)}.log"))


@contextmanager
def contained(env: dict[str, str], log: Path) -> Iterator[Contained]:
    command = [*CONTAINER, str(BIN / "inference-core"), "worker", "--name", "contained", "--concurrency", "1"]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=log.parent, env=env, stdout=stream, stderr=stream)
        try:
            yield Contained(process, log)
        finally:
            if process.poll() is None:
                process.kill()
            stop(process)


def test_a_killed_worker_comes_back_with_its_name_and_process_id_and_a_live_one_keeps_them(
    start_worker: StartWorker, redis_url: str
) -> None:
    with broker_client(Settings(_env_file=None, redis_url=redis_url, redis_prefix="worker-restart")) as redis:
        first = start_worker()
        wait_until(lambda: token(redis), within_s=START_S, what="the first worker ready")
        killed = token(redis)
        first.kill()

        second = start_worker()
        wait_until(lambda: token(redis) != killed, within_s=START_S, what=second.log.read_text())
        _, report = decode_entry(redis.hget(WORKERS_KEY, NODE))
        assert report["stats"]["pid"] == 1

        refused = start_worker()
        assert refused.exit_code() == 1
        (line,) = refused.log.read_text().splitlines()
        assert line.startswith(f"worker: a worker {NODE} is already running (process 1 in another container")

        # A worker that was suspended for so long that another one has its name stops when it continues.
        second.send(signal.SIGSTOP)
        wait_until(lambda: silence_of(redis, NODE) > SILENT_AFTER_MS, what="the second worker silent")
        suspended = token(redis)
        third = start_worker()
        wait_until(lambda: token(redis) != suspended, within_s=START_S, what=third.log.read_text())
        current = token(redis)
        second.send(signal.SIGCONT)
        assert second.exit_code() == 1
        assert f"another worker {NODE} is running, so this one stops" in second.log.read_text()
        assert token(redis) == current, "the entry of the third worker was removed"


def token(redis: Redis) -> str:
    """The identity of the worker that has written the last heartbeat. Empty if there is none."""
    value = redis.hget(WORKERS_KEY, NODE)
    return decode_entry(value)[1].get("incarnation", {}).get("token", "") if value else ""
