"""A message between Redis and a worker, with a fault at each moment. It is in its queue or recorded, and not lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection, Message
from redis import Redis

from inference_core.core.queue.app import ServiceCelery, create_celery
from tests.service.faults.conftest import OwnRedis
from tests.service.faults.test_task_faults import SHORT
from tests.support.fault_proxy import FaultProxy, Loss, fault_proxy
from tests.support.processes import keys_of_service, redis_server, wait_until
from tests.support.service import service_env, worker_process
from tests.support.settings import Settings, service

QUEUE = "default"
# Only a test that fails waits for so long.
SILENCE_S = 5.0


@pytest.fixture
def proxy(own_redis: OwnRedis) -> Iterator[FaultProxy]:
    with fault_proxy(own_redis.port) as proxy:
        yield proxy


def url_of(proxy: FaultProxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}/0"


def app_at(url: str) -> ServiceCelery:
    return create_celery(service, Settings(_env_file=None, redis_url=url), "worker")


def send(url: str, count: int) -> list[str]:
    return [app_at(url).send_task("test.add", (number, 2)).id for number in range(count)]


@contextmanager
def consuming(app: ServiceCelery, received: list[Message]) -> Iterator[Connection]:
    """A connection that receives messages of all queues. It is closed as Celery closes it."""
    connection = app.connection_for_read()
    try:
        app.amqp.TaskConsumer(connection, on_message=received.append).consume()
        yield connection
    finally:
        connection.collect()
        connection.close()


def drain(app: ServiceCelery, tasks: list[str]) -> list[Message]:
    """Receive and acknowledge messages until all tasks were received. Connect again after each fault, as a worker."""
    received: list[Message] = []
    while not ids(received) >= set(tasks):
        try:
            with consuming(app, received) as connection:
                while not ids(received) >= set(tasks):
                    connection.drain_events(timeout=SILENCE_S)
                    received[-1].ack()
        except TimeoutError:
            break
        except connection.connection_errors:
            continue
    return received


def ids(messages: list[Message]) -> set[str]:
    return {message.headers["id"] for message in messages}


def step(connection: Connection) -> None:
    """Read the reply that the connection waits for."""
    cycle = connection.transport.cycle
    for fd, _ in cycle.poller.poll(SILENCE_S):
        with pytest.raises(Empty):
            cycle.on_readable(fd)


def wait_in(connection: Connection, redis: Redis) -> None:
    """Let a connection find its queues empty, and wait for a message."""
    connection.default_channel.brpop_timeout = 60  # the server does not answer before there is a message
    connection.transport.cycle.on_poll_start()
    if not blocked(redis):
        step(connection)
        connection.transport.cycle.on_poll_start()
    wait_until(lambda: blocked(redis), what="the connection waits")


def blocked(redis: Redis) -> int:
    return int(redis.info("clients")["blocked_clients"])


def test_a_reply_that_is_cut_somewhere_loses_no_message(own_redis: OwnRedis, proxy: FaultProxy) -> None:
    with keys_of_service(own_redis.url) as redis:
        send(own_redis.url, 1)
        size = len(redis.rpop(QUEUE))
        cuts = range(0, size, size // 25)
        tasks = send(own_redis.url, len(cuts))
        proxy.lose(*(Loss(task.encode(), keep) for task, keep in zip(tasks, cuts, strict=True)))
        received = drain(app_at(url_of(proxy)), tasks)
        assert ids(received) == set(tasks)
        assert not proxy.losses
        assert all(message.delivery_info["redelivered"] for message in received)
        assert redis.exists(QUEUE, "unacked", "unacked_index") == 0


def test_a_message_whose_reply_does_not_come_is_returned_when_the_connection_is_replaced(
    own_redis: OwnRedis, proxy: FaultProxy
) -> None:
    app, tasks = app_at(url_of(proxy)), send(own_redis.url, 1)
    proxy.lose(Loss(tasks[0].encode(), silent=True))
    with keys_of_service(own_redis.url) as redis:
        with consuming(app, []) as connection:
            connection.transport.cycle.on_poll_start()
            wait_until(lambda: not proxy.losses, what="the reply lost")
            connection.default_channel.client.connection.disconnect()
            assert redis.hlen("unacked") == 1
        assert ids(drain(app, tasks)) == set(tasks)
        assert redis.exists(QUEUE, "unacked", "unacked_index") == 0


def test_a_message_that_is_taken_when_the_server_ends_is_returned_by_the_next(
    own_redis: OwnRedis, proxy: FaultProxy
) -> None:
    app, tasks = app_at(url_of(proxy)), send(own_redis.url, 1)
    proxy.lose(Loss(tasks[0].encode(), silent=True))
    with consuming(app, []) as connection:
        connection.transport.cycle.on_poll_start()
        wait_until(lambda: not proxy.losses, what="the reply lost")
        own_redis.stop()
        connection.default_channel.client.connection.disconnect()
    with redis_server(own_redis.folder, own_redis.port):
        assert ids(drain(app, tasks)) == set(tasks)


@pytest.mark.parametrize("cut_first", [True, False])
def test_a_worker_that_is_cut_off_while_it_waits_takes_nothing(
    own_redis: OwnRedis, proxy: FaultProxy, cut_first: bool
) -> None:
    """Its connection stays open at the server."""
    received: list[Message] = []
    with consuming(app_at(url_of(proxy)), received) as cut_off, Redis.from_url(own_redis.url) as redis:
        wait_in(cut_off, redis)
        tasks = [] if cut_first else send(own_redis.url, 1)
        proxy.forget()
        tasks += send(own_redis.url, 3)
        assert ids(drain(app_at(own_redis.url), tasks)) == set(tasks)
        assert not received
        cut_off.default_channel.client.connection.disconnect()


@pytest.mark.full
@pytest.mark.parametrize("silent", [False, True])
def test_a_worker_runs_the_tasks_whose_replies_were_lost(
    own_redis: OwnRedis, proxy: FaultProxy, tmp_path: Path, silent: bool
) -> None:
    """At once when its connection has ended: the visibility timeout is 15 minutes."""
    notes = tmp_path / "notes"
    with worker_process(tmp_path, service_env(tmp_path, url_of(proxy))) as worker:
        lost = [f"task-{number}" for number in range(1 if silent else 3)]
        proxy.lose(*(Loss(task.encode(), silent=silent) for task in lost))
        tasks = lost + [f"other-{number}" for number in range(5)]
        send_slow(own_redis.url, notes, tasks)
        wait_until(lambda: effects(notes) == set(tasks), within_s=120, what="all tasks")
        assert not proxy.losses
        assert worker.process.poll() is None


@pytest.mark.full
def test_a_worker_that_is_killed_while_redis_replies_leaves_the_task_to_another(
    own_redis: OwnRedis, proxy: FaultProxy, tmp_path: Path
) -> None:
    notes, tasks = tmp_path / "notes", ["task-0", "task-1"]
    with worker_process(tmp_path, service_env(tmp_path, url_of(proxy), **SHORT), "one") as one:
        proxy.lose(Loss(tasks[0].encode(), silent=True))
        send_slow(own_redis.url, notes, tasks)
        wait_until(lambda: not proxy.losses, what="the reply on its way")
        one.process.kill()
    with worker_process(tmp_path, service_env(tmp_path, own_redis.url, **SHORT), "two"):
        wait_until(lambda: effects(notes) == set(tasks), within_s=60, what="all tasks")


def send_slow(url: str, notes: Path, tasks: list[str]) -> None:
    app = app_at(url)
    for task in tasks:
        app.send_task("test.slow", (0, str(notes)), task_id=task)


def effects(notes: Path) -> set[str]:
    """The ids of the tasks that were run."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    return {line.split()[1] for line in lines if line.startswith("effect")}
