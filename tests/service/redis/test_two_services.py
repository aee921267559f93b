"""Two services on one database of Redis, each with an API and a worker: neither notices the other."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis import Redis
from redis.client import Monitor
from redis.exceptions import ResponseError

from tests.support import preloaded
from tests.support.accounts import PASSWORD, new_name, new_registration
from tests.support.processes import redis_server, wait_until
from tests.support.service import ROOT, ApiProcess, ServiceProcess, api_process, service_env, worker_process

# Four processes are started.
pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]

PREFIX = "/api/v1"
TASKS = 8
# One is named by its application's name, the other by the setting; their secrets are the same development default.
NAMES = {"Shop & Co": {"APP_NAME": "Shop & Co"}, "blog": {"REDIS_PREFIX": "blog"}}
KEY_PREFIXES = (b"Shop-Co:", b"blog:")


@dataclass(frozen=True, slots=True)
class Service:
    """One of the two."""

    api: ApiProcess
    worker: ServiceProcess
    folder: Path
    env: dict[str, str]

    def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        with self.api.client() as client:
            return client.post(PREFIX + path, json=body, headers=headers)

    def mails(self, address: str) -> int:
        return sum(f"To: {address}" in path.read_text() for path in self.folder.glob("outbox/*.eml"))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def both(redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    with ExitStack() as stack:
        services = []
        for extra in NAMES.values():
            folder = tmp_path_factory.mktemp("service")
            env = service_env(folder, redis, MAILS_PER_ACCOUNT_PER_HOUR="2", LOGIN_FAILURES_ALLOWED="2", **extra)
            # Both workers have one name, and consume the queue of the printed command line.
            worker = stack.enter_context(worker_process(folder, env, "w1", "--queues=default"))
            services.append(Service(stack.enter_context(api_process(folder, env)), worker, folder, env))
        yield services[0], services[1]


def test_each_does_its_own_tasks_and_no_other(both: tuple[Service, Service]) -> None:
    submitted: list[list[str]] = []
    for service in both:
        body = {"task": "test.add", "args": [1, 2]}
        submitted.append([service.post("/test/submit", body).json()["task_id"] for _ in range(TASKS)])
    for service, ids, others in zip(both, submitted, reversed(submitted), strict=True):
        for task_id in ids:
            assert service.api.get(f"/tasks/{task_id}/result?timeout=30", 40).json()["result"] == 3
        log = service.worker.log.read_text()
        assert all(task_id in log for task_id in ids)
        assert not any(task_id in log for task_id in others)
        assert service.api.get(f"/tasks/{others[0]}/status").status_code == 404


def test_each_mails_its_own_links_and_counts_its_own_quota(both: tuple[Service, Service]) -> None:
    account = new_registration()
    for service in both:
        assert service.post("/auth/register", account).status_code == 201
    first, second = both
    for _ in range(4):
        first.post("/auth/forgot-password", {"email": account["email"]})
    wait_until(lambda: first.mails(account["email"]) == 2, what="the mails of the first")
    assert second.mails(account["email"]) == 0
    second.post("/auth/forgot-password", {"email": account["email"]})
    wait_until(lambda: second.mails(account["email"]) == 1, what="the mail of the second")
    assert first.mails(account["email"]) == 2


def test_each_sees_its_own_worker(both: tuple[Service, Service]) -> None:
    for service in both:
        wait_until(lambda service=service: service.api.get("/tasks/health").json()["status"] == "healthy")
        stats = service.api.get("/tasks/workers/stats").json()["stats"]
        assert {name: worker["stats"]["pid"] for name, worker in stats.items()} == {"celery@w1": service.worker.pid}


def test_celerys_own_remote_control_reaches_its_own_worker(both: tuple[Service, Service]) -> None:
    command = [sys.executable, "-m", "celery", "-A", "inference_core.celery.celery_main:celery_app", "inspect", "ping"]
    for service in both:
        found = preloaded.run([*command, "-j"], env=service.env, cwd=ROOT)
        assert found.stdout.count("pong") == 1, found.stdout + found.stderr


def test_a_purge_empties_its_own_queues(both: tuple[Service, Service], redis: str) -> None:
    # The workers do not consume this queue.
    queues = [f"{prefix.decode()}llm_tasks" for prefix in KEY_PREFIXES]
    with Redis.from_url(redis) as everything:
        for queue in queues:
            everything.lpush(queue, "waiting")
        command = [sys.executable, "-m", "celery", "-A", "inference_core.celery.celery_main:celery_app", "purge", "-f"]
        purged = preloaded.run(command, env=both[0].env, cwd=ROOT)
        assert "Purged 1 message" in purged.stdout, purged.stdout + purged.stderr
        assert [everything.llen(queue) for queue in queues] == [0, 1]
        everything.delete(queues[1])


def test_a_token_of_one_is_unknown_to_the_other_and_ends_nothing(both: tuple[Service, Service]) -> None:
    first, second = both
    account = new_registration()
    assert first.post("/auth/register", account).status_code == 201
    login = {"username": account["username"], "password": PASSWORD}
    token = first.post("/auth/login", login).json()["refresh_token"]
    stranger = second.post("/auth/refresh", {"refresh_token": token})
    assert (stranger.status_code, stranger.json()["code"]) == (401, "invalid_refresh_token")
    assert second.post("/auth/logout", {"refresh_token": token}).status_code < 500
    assert first.post("/auth/refresh", {"refresh_token": token}).status_code == 200


def test_a_name_that_is_locked_in_one_is_not_in_the_other(both: tuple[Service, Service]) -> None:
    login = {"username": new_name(), "password": "wrong password"}
    first, second = both
    assert [first.post("/auth/login", login).status_code for _ in range(3)] == [401, 401, 429]
    assert second.post("/auth/login", login).status_code == 401


def test_the_same_idempotency_key_makes_a_task_in_each(both: tuple[Service, Service]) -> None:
    body = {"task": "test.add", "args": [1, 2]}
    answers = [service.post("/test/submit-once", body, **{"Idempotency-Key": "one"}) for service in both]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() != answers[1].json()


def test_model_tasks_and_their_statistics_are_each_services_own(both: tuple[Service, Service]) -> None:
    first, second = both
    task_id = first.post("/llm/explain", {"question": "Why?"}).json()["task_id"]
    assert first.api.get(f"/tasks/{task_id}/result?timeout=30", 40).json()["success"] is True
    wait_until(lambda: first.api.get("/llm/stats").json()["stats"]["requests_count"] == 1)
    assert second.api.get("/llm/stats").json()["stats"]["requests_count"] == 0


def commands_until(monitor: Monitor, last: str) -> set[tuple[str, ...]]:
    """The commands that Redis was given so far, each as its words."""
    found: set[tuple[str, ...]] = set()
    while True:
        line = monitor.connection.read_response().decode(errors="replace")
        words = tuple(shlex.split(line.partition("] ")[2]))
        if words == ("ECHO", last):
            return found
        found.add(words)


def named_by(redis: Redis, words: tuple[str, ...]) -> set[str]:
    """The keys and channels of a command."""
    if words[0].upper().endswith(("PUBLISH", "SUBSCRIBE")):
        return {words[1]} if words[0].upper().endswith("PUBLISH") else set(words[1:])
    try:
        return set(redis.command_getkeys(*words))
    except ResponseError as error:
        if "no key arguments" not in str(error):
            raise
        return set()


def test_every_command_names_keys_and_channels_with_the_prefix_of_its_service(
    both: tuple[Service, Service], redis: str
) -> None:
    with Redis.from_url(redis) as everything, everything.monitor() as monitor:
        for service in both:
            account = new_registration()
            service.post("/auth/register", account)
            service.post("/auth/login", {"username": account["username"], "password": PASSWORD})
            body = {"task": "test.add", "args": [1, 2]}
            task_id = service.post("/test/submit", body).json()["task_id"]
            assert service.api.get(f"/tasks/{task_id}/result?timeout=30", 40).json()["result"] == 3
            command = [sys.executable, "-m", "celery", "-A", "inference_core.celery.celery_main:celery_app"]
            assert "pong" in preloaded.run([*command, "inspect", "ping"], env=service.env, cwd=ROOT).stdout
        everything.echo("the end")
        named = set().union(*(named_by(everything, words) for words in commands_until(monitor, "the end")))
    prefixes = tuple(prefix.decode() for prefix in KEY_PREFIXES)
    for part in ("default", "unacked", "unacked_index", "_kombu.binding.", "celery-task-meta-", "workers", "auth:"):
        assert all(any(name.startswith(prefix + part) for name in named) for prefix in prefixes), part
    assert not [name for name in named if not name.startswith(prefixes)]


def test_every_key_begins_with_the_prefix_of_its_service(both: tuple[Service, Service], redis: str) -> None:
    for service in both:
        account = new_registration()
        service.post("/auth/register", account)
        service.post("/auth/login", {"username": account["username"], "password": PASSWORD})
        service.post("/auth/login", {"username": account["username"], "password": "wrong password"})
        service.post("/llm/explain", {"question": "Why?"})
    with Redis.from_url(redis) as everything:
        keys = everything.keys()
    assert {prefix for prefix in KEY_PREFIXES for key in keys if key.startswith(prefix)} == set(KEY_PREFIXES)
    assert not [key for key in keys if not key.startswith(KEY_PREFIXES)]
