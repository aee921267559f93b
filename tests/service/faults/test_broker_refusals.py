"""A Redis that answers and does not write: full, without its disk, a replica. No worker ends by it, no task is lost."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kombu import Message
from redis import Redis

from inference_core.core.queue.app import create_celery
from inference_core.core.queue.submissions import SCRIPTS, task_key
from inference_core.core.redis.scripts import sync_script
from tests.service.faults.conftest import OwnRedis
from tests.service.faults.test_task_faults import result, submit, words
from tests.support.processes import keys_of_service, redis_server, wait_until
from tests.support.service import ApiProcess, api_process, service_env, worker_process
from tests.support.settings import Settings, service

pytestmark = pytest.mark.full

DAY_S = 24 * 3600

Change = Callable[[Redis, Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "service"


@pytest.fixture
def env(folder: Path, own_redis: OwnRedis) -> dict[str, str]:
    return service_env(folder, own_redis.url)


@pytest.fixture
def api(folder: Path, env: dict[str, str]) -> Iterator[ApiProcess]:
    with api_process(folder, env) as api:
        yield api


def without_disk(redis: Redis, folder: Path) -> None:
    redis.config_set("save", "1 1")
    shutil.rmtree(folder)
    for number in range(3):
        redis.set(f"number {number}", number)


def with_disk(redis: Redis, folder: Path) -> None:
    redis.config_set("stop-writes-on-bgsave-error", "no")


def as_replica(redis: Redis, folder: Path) -> None:
    redis.replicaof("127.0.0.1", "1")


def as_primary(redis: Redis, folder: Path) -> None:
    redis.replicaof("NO", "ONE")


@pytest.mark.parametrize("change", [(without_disk, with_disk), (as_replica, as_primary)], ids=["no disk", "replica"])
def test_a_worker_outlives_a_broker_that_refuses_to_write(
    change: tuple[Change, Change], api: ApiProcess, folder: Path, env: dict[str, str], own_redis: OwnRedis
) -> None:
    refuse, accept = change
    with worker_process(folder, env) as worker, Redis.from_url(own_redis.url) as redis:
        assert result(api, submit(api, "test.add", 1, 2))["result"] == 3
        refuse(redis, own_redis.folder)
        wait_until(lambda: worker.tail().count("Cannot connect to redis") >= 2, within_s=30, what="the broker refuses")
        # A Redis without its disk refuses a ping as well.
        wait_until(lambda: api.get("/tasks/health").json()["status"] != "healthy", what="the workers are silent")
        accept(redis, own_redis.folder)
        wait_until(lambda: api.get("/tasks/health").json()["status"] == "healthy", within_s=60)
        assert result(api, submit(api, "test.add", 3, 4))["result"] == 7
        assert worker.process.poll() is None


def test_F05_tasks_in_a_redis_that_fills_up_are_done_once_each_and_said_to_be(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path, own_redis: OwnRedis
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env) as worker, Redis.from_url(own_redis.url) as redis:
        tasks = [submit(api, "test.slow", 2, str(notes))]
        wait_until(lambda: words(notes, "start") == 1)
        tasks += [submit(api, "test.slow", 0.1, str(notes)) for _ in range(5)]
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", "1")
        wait_until(lambda: "Failed operation" in worker.log.read_text() or "Connection to Redis lost" in worker.tail())
        redis.config_set("maxmemory", "0")
        assert [result(api, task_id)["success"] for task_id in tasks] == [True] * len(tasks)
        assert worker.process.poll() is None
    assert Counter(notes.read_text().splitlines()) == Counter(
        f"{word} {task_id}" for task_id in tasks for word in ("start", "effect")
    )


def test_a_task_that_ends_while_redis_is_away_has_succeeded(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path, own_redis: OwnRedis
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env, "one", concurrency=1) as worker:
        task_id = submit(api, "test.slow", 1, str(notes))
        wait_until(lambda: words(notes, "start") == 1)
        own_redis.stop()
        # More often than a store is asked that only has to think.
        wait_until(lambda: worker.log.read_text().count("Failed operation _store_result") > 11, within_s=90)
        with redis_server(own_redis.folder, own_redis.port):
            assert result(api, task_id)["success"] is True
    assert words(notes, "effect") == 1


def test_what_was_cancelled_is_remembered_longer_than_its_message(api: ApiProcess, own_redis: OwnRedis) -> None:
    task_id = submit(api, "test.add", 1, 2)
    with keys_of_service(own_redis.url) as redis:
        (message,) = redis.lrange("default", 0, -1)
        expires = datetime.fromisoformat(json.loads(message)["headers"]["expires"])
        left_s = (expires - datetime.now(UTC)).total_seconds()
        assert DAY_S - 60 < left_s <= DAY_S
        assert redis.ttl(task_key(task_id)) > left_s + 60


def test_who_asks_again_whether_to_start_is_told_the_same(own_redis: OwnRedis) -> None:
    with Redis.from_url(own_redis.url, decode_responses=True) as redis:
        redis.hset(task_key("one"), "name", "test.add")
        claim = sync_script(redis, SCRIPTS, "claim_task")

        def ask(asker: str, redelivered: int = 0) -> str:
            return str(claim([task_key("one")], [0, redelivered, asker, DAY_S]))

        assert [ask("first"), ask("first"), ask("second"), ask("second", 1)] == ["run", "run", "copy", "run"]
        assert redis.ttl(task_key("one")) > DAY_S - 60


def test_a_connection_that_is_lost_is_closed_and_a_running_task_can_still_be_acknowledged(own_redis: OwnRedis) -> None:
    """As in a worker that waits for messages while it runs a task."""
    app = create_celery(service, Settings(_env_file=None, redis_url=own_redis.url), "worker")
    received: list[Message] = []
    app.send_task("test.add", (1, 2))
    connection = app.connection_for_read()
    tasks, commands = connection.default_channel, connection.channel()
    app.control.mailbox.Node("celery@one", channel=commands).listen()
    app.amqp.TaskConsumer(connection, on_message=received.append).consume()
    while not received:
        connection.drain_events(timeout=10)
    tasks.brpop_timeout = 60  # the server must not answer before it ends
    connection.transport.cycle.on_poll_start()
    assert tasks._in_poll
    own_redis.stop()
    # Celery does both.
    connection.collect()
    connection.close()
    assert tasks.closed
    assert commands.closed
    with redis_server(own_redis.folder, own_redis.port), keys_of_service(own_redis.url) as redis:
        received[0].ack()
        assert not redis.exists("unacked", "unacked_index")
