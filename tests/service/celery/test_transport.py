"""The transport takes messages in the order of kombu, and records them so that kombu can return them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from kombu import Connection, Consumer, Message, Queue
from redis import Redis

from inference_core.core.queue.transport import Transport
from tests.support.processes import keys_of_service, redis_server, wait_until

QUEUES = ("one", "two", "three")
KOMBU = "kombu.transport.redis:Transport"
OURS = f"{Transport.__module__}:Transport"
# Only a test that fails waits for so long.
SILENCE_S = 10.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture
def url(server: str) -> str:
    with Redis.from_url(server) as redis:
        redis.flushall()
    return server


@contextmanager
def connected(url: str, transport: str = OURS, **options: Any) -> Iterator[Connection]:
    """A connection with the transport of the service, or with another one."""
    options = {"unanswered": [], "global_keyprefix": "inference-core:", "unacked_restore_throttle": 1, **options}
    with Connection(url, transport=transport, transport_options=options) as connection:
        yield connection


def put(connection: Connection, *messages: tuple[str, int, int]) -> None:
    """Send numbers to queues with priorities."""
    with connection.Producer() as producer:
        for queue, priority, number in messages:
            producer.publish({"number": number}, routing_key=queue, priority=priority, serializer="json")


def take(connection: Connection, count: int, **options: Any) -> list[Message]:
    """Receive messages from all queues."""
    received: list[Message] = []
    with Consumer(connection, [Queue(name) for name in QUEUES], on_message=received.append, **options):
        while len(received) < count:
            connection.drain_events(timeout=SILENCE_S)
    return received


def test_messages_come_in_the_order_of_kombu(url: str) -> None:
    messages = [(QUEUES[number % 7 % 3], number % 4 * 3, number) for number in range(60)]
    orders = []
    for transport in (KOMBU, OURS):
        with connected(url, transport) as connection:
            put(connection, *messages)
            orders.append([message.payload["number"] for message in take(connection, len(messages), no_ack=True)])
    assert orders[0] == orders[1]
    assert orders[0] != sorted(orders[0])


@pytest.mark.parametrize(("taker", "restorer"), [(OURS, KOMBU), (KOMBU, OURS), (OURS, OURS)])
def test_versions_return_the_messages_of_each_other(url: str, taker: str, restorer: str) -> None:
    """As in a rolling update in which workers are killed."""
    with connected(url, taker) as lost, connected(url, restorer, visibility_timeout=0) as other:
        put(lost, ("one", 0, 1), ("two", 9, 2))
        taken = take(lost, 2)
        other.default_channel.qos.restore_visible()
        again = take(other, 2)
        assert [message.payload for message in again] == [message.payload for message in taken]
        assert [message.delivery_info["redelivered"] for message in again] == [True, True]
        for message in again:
            message.ack()
        with keys_of_service(url) as redis:
            assert redis.exists("unacked", "unacked_index", *QUEUES) == 0
        lost.default_channel.qos._delivered.clear()  # as if killed


def test_the_record_is_that_of_kombu(url: str) -> None:
    records = []
    for transport in (KOMBU, OURS):
        with connected(url, transport) as connection, keys_of_service(url) as redis:
            put(connection, ("one", 3, 1))
            (message,) = take(connection, 1)
            ((tag, record),) = redis.hgetall("unacked").items()
            (score,) = (score for _, score in redis.zrange("unacked_index", 0, -1, withscores=True))
            seconds, _ = redis.time()
            assert tag.decode() == message.delivery_tag
            assert abs(score - seconds) < 60
            sent, *origin = json.loads(record)
            records.append((sent["body"], sorted(sent), sent["headers"], origin))
            message.ack()
            assert redis.exists("unacked", "unacked_index") == 0
    assert records[0] == records[1]


def test_a_full_redis_records_what_it_delivers(url: str) -> None:
    with connected(url) as connection, keys_of_service(url) as redis, Redis.from_url(url) as server:
        put(connection, *(("one", 0, number) for number in range(3)))
        server.config_set("maxmemory", "1")
        try:
            received = take(connection, 3)
            assert redis.hlen("unacked") == 3
            for message in received:
                message.ack()
            assert redis.exists("unacked", "unacked_index") == 0
        finally:
            server.config_set("maxmemory", "0")


def test_messages_that_are_not_acknowledged_are_not_recorded(url: str) -> None:
    with connected(url) as connection, keys_of_service(url) as redis:
        put(connection, ("one", 0, 1))
        take(connection, 1, no_ack=True)
        assert redis.exists("unacked", "unacked_index") == 0


def test_a_message_that_is_fetched_is_recorded(url: str) -> None:
    with connected(url) as connection, keys_of_service(url) as redis:
        put(connection, ("one", 0, 1))
        message = connection.default_channel.basic_get("one")
        assert redis.hlen("unacked") == 1
        message.ack()
        assert redis.exists("unacked", "unacked_index") == 0


def send_one(connection: Connection, _: Message) -> None:
    put(connection, ("one", 0, 1))


def return_one(_: Connection, message: Message) -> None:
    message.requeue()


def restore_one(connection: Connection, _: Message) -> None:
    connection.default_channel.qos.restore_visible()


@pytest.mark.parametrize("act", [send_one, return_one, restore_one])
def test_a_message_ends_the_wait_of_a_worker(url: str, act: Callable[[Connection, Message], None]) -> None:
    with (
        connected(url) as waiting,
        connected(url, visibility_timeout=0) as other,
        Redis.from_url(url) as redis,
        ThreadPoolExecutor() as pool,
    ):
        put(other, ("two", 0, 1))
        message = other.default_channel.basic_get("two")
        waiting.default_channel.brpop_timeout = 60
        received = pool.submit(take, waiting, 1, no_ack=True)
        wait_until(lambda: redis.info("clients")["blocked_clients"] == 1, what="the wait")
        act(other, message)
        assert [message.payload for message in received.result()] == [{"number": 1}]
        other.default_channel.qos._delivered.clear()
    with keys_of_service(url) as redis:
        assert redis.type("messages_sent") == b"stream"
