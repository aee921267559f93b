"""What is no message of the service, by whatever way it comes, goes to the dead letter queue; the worker goes on."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from inference_core.core.queue import dead_letters
from inference_core.core.queue.dead_letters import KEEP, KEEP_CHARACTERS, keep_dead_letter
from inference_core.core.queue.messages import DEEPEST, LARGEST_BYTES, carrier, envelope_problem, task_problem
from inference_core.core.queue.sender import TaskSender
from inference_core.core.queue.worker_state import DEAD_LETTERS_KEY
from tests.support.foreign_messages import foreign_messages
from tests.support.processes import keys_of_service, redis_server, wait_until
from tests.support.service import ServiceProcess, service_env, worker_process
from tests.support.settings import Settings, service

QUEUE = "default"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def send(settings: Settings, name: str, *args: Any, **options: Any) -> str:
    async def once() -> str:
        async with TaskSender.open(service, settings) as sender:
            return await sender.send(name, *args, **options)

    return asyncio.run(once())


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def good(redis: str) -> dict[str, Any]:
    """A message as the service sends it."""
    send(Settings(_env_file=None, redis_url=redis), "test.add", 1, 2, queue="unused", expires_s=3600)
    with keys_of_service(redis) as client:
        message: dict[str, Any] = json.loads(client.lpop("unused"))
    return message


@pytest.fixture(scope="module")
def worker(redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("worker")
    with worker_process(folder, service_env(folder, redis), "w1", "--queues=default", concurrency=2) as worker:
        yield worker


def problem_of(raw: bytes) -> str | None:
    """As the transport and the consumer find it, one after the other."""
    if (problem := envelope_problem(raw)) is not None:
        return problem
    message = json.loads(raw)
    body = message["body"]
    if message["properties"].get("body_encoding") == "base64":
        body = b64decode(body)
    return task_problem(message["headers"], message["content-type"], body)


def task_succeeds(redis: str) -> bool:
    """Whether a task that is sent now is done: by a worker that lives and takes tasks."""
    task_id = send(Settings(_env_file=None, redis_url=redis), "test.add", 1, 2)
    with keys_of_service(redis) as client:
        wait_until(lambda: client.exists(f"celery-task-meta-{task_id}"), within_s=60, what="the task's result")
        return bool(json.loads(client.get(f"celery-task-meta-{task_id}"))["result"] == 3)


def test_a_message_of_the_service_is_fine(good: dict[str, Any]) -> None:
    assert problem_of(json.dumps(good).encode()) is None


def test_every_other_shape_is_found_before_celery_reads_it(good: dict[str, Any]) -> None:
    fine = [name for name, raw in foreign_messages(good) if problem_of(raw) is None]
    assert not fine


def test_size_and_depth_are_bounded(good: dict[str, Any]) -> None:
    room = LARGEST_BYTES - len(json.dumps(good).encode())
    assert problem_of(json.dumps(good).encode() + b" " * room) is None
    assert problem_of(json.dumps(good).encode() + b" " * (room + 1)) == f"larger than {LARGEST_BYTES} bytes"
    deep: Any = {}
    for _ in range(DEEPEST + 1):
        deep = [deep]
    assert problem_of(json.dumps(good | {"headers": good["headers"] | {"extra": deep}}).encode()) == (
        f"nested deeper than {DEEPEST} levels"
    )


@given(value=JSON, place=st.sampled_from(["body", "headers", "properties", "eta", "timelimit", "embedded", "all"]))
@settings(max_examples=settings.default.max_examples * 3)
def test_no_value_in_any_place_breaks_the_check(good: dict[str, Any], value: Any, place: str) -> None:
    message: Any = json.loads(json.dumps(good))
    if place == "all":
        message = value
    elif place in ("eta", "timelimit"):
        message["headers"][place] = value
    elif place == "embedded":
        assert problem_of(json.dumps(message).encode()) is None
        problem = task_problem(message["headers"], "application/json", json.dumps([[], {}, value]))
        assert problem is None or problem
        return
    else:
        message[place] = value
    raw = json.dumps(message).encode()
    problem = problem_of(raw)
    assert problem is None or (problem and len(problem) < 1000)


@given(raw=st.binary(max_size=200))
def test_no_bytes_break_the_check_and_their_carrier_is_a_message(raw: bytes) -> None:
    problem = envelope_problem(raw)
    if problem is not None:
        assert envelope_problem(carrier(raw, QUEUE, problem)) is None
        assert problem_of(carrier(raw, QUEUE, problem)) == problem


def test_a_worker_outlives_every_message_and_keeps_it_as_a_dead_letter(
    worker: ServiceProcess, redis: str, good: dict[str, Any]
) -> None:
    messages = dict(foreign_messages(good))
    assert len(messages) > 250
    with keys_of_service(redis) as client:
        for raw in messages.values():
            client.lpush(QUEUE, raw)
        # The worker takes them in the order in which they came.
        assert task_succeeds(redis)
        assert worker.process.poll() is None, worker.tail()
        assert client.llen(DEAD_LETTERS_KEY) == len(messages)
        entries = [json.loads(entry) for entry in client.lrange(DEAD_LETTERS_KEY, 0, -1)]
        assert all(entry["reason"] and entry["at"] for entry in entries)
        assert client.exists("unacked", QUEUE) == 0
    assert "Traceback" not in worker.log.read_text()


def test_a_task_of_an_unknown_name_is_a_failure_and_a_dead_letter(worker: ServiceProcess, redis: str) -> None:
    task_id = send(Settings(_env_file=None, redis_url=redis), "test.unknown", 1)
    assert task_succeeds(redis)
    with keys_of_service(redis) as client:
        assert json.loads(client.get(f"celery-task-meta-{task_id}"))["status"] == "FAILURE"
        newest = json.loads(client.lindex(DEAD_LETTERS_KEY, 0))
    assert (newest["reason"], newest["headers"]["id"]) == ("no task of this name", task_id)
    assert worker.process.poll() is None


@pytest.mark.parametrize("channel", ["celery.pidbox", "celeryev/worker.heartbeat"])
def test_a_broadcast_that_cannot_be_read_ends_nothing(
    worker: ServiceProcess, redis: str, good: dict[str, Any], channel: str
) -> None:
    with Redis.from_url(redis) as client:
        for name, raw in foreign_messages(good):
            if name != "huge":
                client.publish(f"inference-core:/0.{channel}", raw)
    assert task_succeeds(redis)
    assert worker.process.poll() is None, worker.tail()
    assert "Connection to broker lost" not in worker.log.read_text()


@pytest.mark.full
def test_notes_of_taken_messages_that_cannot_be_read_are_removed(
    redis: str, good: dict[str, Any], tmp_path: Path
) -> None:
    env = service_env(tmp_path, redis, CELERY_TASK_TIME_LIMIT_S="1", CELERY_VISIBILITY_TIMEOUT_S="2")
    with keys_of_service(redis) as client:
        for number, raw in enumerate(
            [b"", b"5", b"[]", b"{}", b'["a"]', b"\xff", b"[" * 100_000, b'[5, "", "default"]']
        ):
            client.hset("unacked", f"tag-{number}", raw)
            client.zadd("unacked_index", {f"tag-{number}": 1})
        with worker_process(tmp_path, env, "w2", "--queues=default") as worker:
            wait_until(lambda: client.exists("unacked", "unacked_index") == 0, within_s=60, what="the notes removed")
            assert task_succeeds(redis)
            assert worker.process.poll() is None, worker.tail()


def test_the_dead_letter_queue_is_bounded_in_entries_and_in_their_size(
    redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "KEEP", 5)
    own = Settings(_env_file=None, redis_url=redis, redis_prefix="bounded")
    for number in range(8):
        keep_dead_letter(own, f"reason {number}" + "x" * 100_000, body="y" * 1_000_000)
    with Redis.from_url(redis) as client:
        entries = client.lrange("bounded:dead_letters", 0, -1)
    assert [json.loads(entry)["reason"][:8] for entry in entries] == [f"reason {number}" for number in range(7, 2, -1)]
    assert max(map(len, entries)) < KEEP_CHARACTERS * 2
    assert KEEP == 1000
