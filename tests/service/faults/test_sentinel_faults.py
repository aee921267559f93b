"""A Redis whose master changes while an API and a worker use it: no restart, and nothing lost that was copied."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.service.faults.test_redis_faults import Person, is_unavailable, person
from tests.service.faults.test_task_faults import result, words
from tests.support.processes import wait_until
from tests.support.servers.sentinels import FAILOVER_S, SentinelGroup
from tests.support.service import PREFIX, ApiProcess, ServiceProcess, api_process, service_env, worker_process

pytestmark = [pytest.mark.full, pytest.mark.process]

# A request that waits longer than this fails the test; the time limits of the service are far shorter.
REQUEST_S = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def env(folder: Path, sentinels: SentinelGroup) -> dict[str, str]:
    # A worker that is cut off returns what it had not started after the visibility timeout.
    return service_env(folder, sentinels.url, CELERY_TASK_TIME_LIMIT_S="20", CELERY_VISIBILITY_TIMEOUT_S="25")


@pytest.fixture(scope="module")
def api(folder: Path, env: dict[str, str]) -> Iterator[ApiProcess]:
    with api_process(folder, env) as api:
        yield api


@pytest.fixture(scope="module")
def worker(folder: Path, env: dict[str, str]) -> Iterator[ServiceProcess]:
    with worker_process(folder, env, concurrency=1) as worker:
        yield worker


def submit(user: Person, notes: Path, seconds: float) -> httpx2.Response:
    body = {"task": "test.slow", "args": [seconds, str(notes)]}
    return user.client.post(f"{PREFIX}/test/submit", json=body, timeout=REQUEST_S)


def accepted(response: httpx2.Response) -> list[str]:
    """The id of the task, if it was accepted; else the refusal is one that tells clients to try again."""
    if response.status_code == 202:
        return [response.json()["task_id"]]
    is_unavailable(response)
    return []


def finished(api: ApiProcess, task_id: str) -> bool:
    """Whether the task succeeds in time. A task may have to wait for the visibility timeout first."""
    wait_until(lambda: result(api, task_id)["success"], within_s=FAILOVER_S, what=task_id)
    return True


def kill(group: SentinelGroup, old: int) -> None:
    """Kill the master and a Sentinel. Two of three can still choose a new master."""
    first = next(iter(group.sentinels))
    for process in (group.servers[old], group.sentinels[first]):
        process.kill()
        process.wait()


def freeze(group: SentinelGroup, old: int) -> None:
    group.servers[old].send_signal(signal.SIGSTOP)


@pytest.mark.parametrize("break_master", [kill, freeze])
def test_a_lost_master_costs_some_503_and_nothing_that_was_copied(
    break_master: Callable[[SentinelGroup, int], None],
    group: SentinelGroup,
    api: ApiProcess,
    worker: ServiceProcess,
    tmp_path: Path,
) -> None:
    notes = tmp_path / "notes"
    with person(api) as user:
        token = user.login().json()["refresh_token"]
        tasks = accepted(submit(user, notes, 3.0))
        wait_until(lambda: words(notes, "start") == 1, what="the task started")
        for _ in range(3):
            tasks += accepted(submit(user, notes, 0.1))
        assert len(tasks) == 4
        group.wait_for_copy()
        old = group.master_port()
        break_master(group, old)

        statuses: list[int] = []
        while 200 not in statuses[-3:] or group.master_port() == old:
            statuses.append(user.login().status_code)
            tasks += accepted(submit(user, notes, 0.1))
            assert len(statuses) < 1000
        assert set(statuses) <= {200, 503}
        assert user.refresh(token).status_code == 200
        while not (last := accepted(submit(user, notes, 0.1))):
            pass
        # A worker whose master is silent notices it, too.
        assert finished(api, last[0])

        group.heal()  # an old master that continues becomes a replica
        assert all(finished(api, task_id) for task_id in tasks)
        effects = [line.split()[1] for line in notes.read_text().splitlines() if line.startswith("effect")]
        assert {*tasks, *last} <= set(effects)
        assert len(effects) == len(set(effects))
        assert user.login().status_code == 200
    assert api.process.poll() is None
    assert worker.process.poll() is None


def test_a_master_without_enough_replicas_refuses_writes_until_it_has_them(
    group: SentinelGroup, api: ApiProcess, worker: ServiceProcess, tmp_path: Path
) -> None:
    """`min-replicas-to-write`: the setting of operators who must not lose what was accepted."""
    master = group.master_port()
    (replica,) = set(group.servers) - {master}
    with person(api) as user, group.server(master) as redis, ExitStack() as stack:
        redis.config_set("min-replicas-to-write", 1)
        stack.callback(redis.config_set, "min-replicas-to-write", 0)
        group.servers[replica].kill()
        wait_until(lambda: user.login().status_code == 503)
        is_unavailable(submit(user, tmp_path / "notes", 0.1))
        group.heal()
        wait_until(lambda: user.login().status_code == 200)
        wait_until(lambda: api.get("/tasks/health").json()["status"] == "healthy", within_s=FAILOVER_S)
        (task_id,) = accepted(submit(user, tmp_path / "notes", 0.1))
        assert result(api, task_id)["success"] is True
    assert worker.process.poll() is None


def test_without_sentinels_open_connections_serve_and_a_new_process_waits_for_them(
    group: SentinelGroup, api: ApiProcess, env: dict[str, str], tmp_path: Path
) -> None:
    with person(api) as user:
        assert user.login().status_code == 200
        for process in group.sentinels.values():
            process.kill()
            process.wait()
        assert user.login().status_code == 200
        with api_process(tmp_path, env) as late, person(late) as other:
            is_unavailable(other.login())
            assert "no Sentinel knows the master" in late.log.read_text()
            for port in list(group.sentinels):
                group.start_sentinel(port)
            wait_until(lambda: other.login().status_code == 200)
