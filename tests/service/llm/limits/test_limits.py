"""The limits of a user: requests per minute, concurrent requests and tokens per day."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from inference_core.app.stack.ports import free_port
from inference_core.core.redis.client import open_client
from inference_core.llm.accounting.limits import (
    LimitsUnavailableError,
    LLMLimitError,
    StatisticsUnavailableError,
    UserLimits,
    ms_left_of_day,
)
from inference_core.llm.config.schema import Limits
from inference_core.llm.principal import Principal
from inference_core.llm.questions import Question
from inference_core.llm.tokens import conservative_prompt_tokens
from inference_core.llm.types import Message, SamplingParams
from tests.service.conftest import AppFactory
from tests.service.llm.conftest import ServerFactory
from tests.support.accounts import PREFIX, Api, Tokens
from tests.support.llm import config_file, limits_config, parse_events, until
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio

STREAM, BODY = "/llm/explain/stream", {"question": "Why?", "max_tokens": 50}


async def login(api: Api) -> Tokens:
    return await api.login(await api.register())


async def test_requests_of_a_minute_are_counted_for_each_user(start_app: AppFactory, tmp_path: Path) -> None:
    async with start_app(llm_config_file=limits_config(tmp_path, per_minute=3)) as api:
        mine, theirs = await login(api), await login(api)
        answers = [await api.post(STREAM, BODY, mine), await api.post("/llm/explain", BODY, mine)]
        # What is refused does not count.
        assert (await api.post(STREAM, {**BODY, "model_name": "none"}, mine)).status_code == 404
        answers.append(await api.post(STREAM, BODY, mine))
        assert [answer.status_code for answer in answers] == [200] * 3
        for path in (STREAM, "/llm/explain"):
            refused = await api.post(path, BODY, mine)
            assert (refused.status_code, refused.json()["code"]) == (429, "llm_requests_limit")
            assert 0 < int(refused.headers["retry-after"]) <= 60
        assert (await api.post(STREAM, BODY, theirs)).status_code == 200


async def test_repeated_submission_passes_a_limit_that_is_reached(start_app: AppFactory, tmp_path: Path) -> None:
    async with start_app(llm_config_file=limits_config(tmp_path, per_minute=1)) as api:
        mine = await login(api)
        headers = {"Idempotency-Key": "one"}
        first = await api.post("/llm/explain", BODY, mine, headers=headers)
        again = await api.post("/llm/explain", BODY, mine, headers=headers)
        assert (first.status_code, again.status_code) == (200, 200)
        assert first.json()["task_id"] == again.json()["task_id"]
        other = {"Idempotency-Key": "two"}
        for _ in range(2):
            refused = await api.post("/llm/explain", BODY, mine, headers=other)
            assert refused.status_code == 429


async def submissions(redis: Redis) -> set[bytes]:
    """What Redis remembers of tasks and of the keys they came with."""
    return {*await redis.keys("*:task:*"), *await redis.keys("*:idempotency:*")}


async def test_refused_submission_leaves_no_key_behind(start_app: AppFactory, tmp_path: Path, redis_url: str) -> None:
    async with (
        start_app(llm_config_file=limits_config(tmp_path, per_minute=1)) as api,
        Redis.from_url(redis_url) as redis,
    ):
        mine = await login(api)
        before = await submissions(redis)
        sent = await api.post("/llm/explain", BODY, mine, headers={"Idempotency-Key": "one"})
        assert sent.status_code == 200
        kept = await submissions(redis)
        assert len(kept - before) == 2  # the task and its key
        for number in range(5):
            headers = {"Idempotency-Key": f"refused-{number}"}
            assert (await api.post("/llm/explain", BODY, mine, headers=headers)).status_code == 429
            # Nothing is known of the key, so that it may come with another text.
            other = await api.post("/llm/explain", {**BODY, "question": "Other?"}, mine, headers=headers)
            assert other.status_code == 429
        assert await submissions(redis) == kept
        # A key whose message may have been sent is kept with its task's id, whatever refuses its repetition.
        (key,) = [name for name in kept - before if b"idempotency" in name]
        await redis.hdel(key, "sent")
        await redis.hset(key, "at_ms", 1)
        assert (await api.post("/llm/explain", BODY, mine, headers={"Idempotency-Key": "one"})).status_code == 429
        assert (await redis.hget(key, "task_id")).decode() == sent.json()["task_id"]


async def test_keys_of_callers_without_an_account_are_each_addresss_own(start_app: AppFactory, tmp_path: Path) -> None:
    async with start_app(llm_config_file=limits_config(tmp_path)) as api:
        tasks: dict[str, str] = {}
        for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "192.0.2.1"):
            transport = httpx2.ASGITransport(app=api.app, client=(address, 1))
            async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
                headers = {"Idempotency-Key": "one"}
                sent = await client.post(f"{PREFIX}/llm/explain", json=BODY, headers=headers)
                assert sent.status_code == 200
                assert tasks.setdefault(address, sent.json()["task_id"]) == sent.json()["task_id"]
                other = await client.post(f"{PREFIX}/llm/explain", json={"question": "Other?"}, headers=headers)
                assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len(set(tasks.values())) == 4


async def test_callers_without_an_account_leave_room_for_users(start_server: ServerFactory, tmp_path: Path) -> None:
    config = limits_config(tmp_path)
    shared = "concurrent_streams: 5\n    anonymous_share: 0.6"
    config.write_text(config.read_text().replace("concurrent_streams: 0", shared))
    async with start_server(llm_config_file=config) as server, AsyncExitStack() as stack:
        api = Api(client=server.client, app=None, settings=None, state=server.state)  # type: ignore[arg-type]
        mine = await login(api)
        stall = {"X-LLM-Fault": "stall:60"}
        for callers, status in (({}, 200), ({}, 200), ({}, 200), ({}, 503), (mine.bearer, 200), (mine.bearer, 200)):
            response = await stack.enter_async_context(server.stream("/explain/stream", BODY, **stall, **callers))
            assert response.status_code == status
        # The process is full now, for everybody.
        for callers in ({}, mine.bearer):
            refused = await server.client.post(PREFIX + STREAM, json=BODY, headers=callers)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        await stack.aclose()
        await until(lambda: not server.llm.streams.active, within_s=10)
        assert (await server.client.post(PREFIX + STREAM, json=BODY)).status_code == 200


async def test_streams_at_once_are_bounded_and_given_back(start_server: ServerFactory, tmp_path: Path) -> None:
    config = limits_config(tmp_path, at_once=2)
    async with start_server(llm_config_file=config) as server:
        # Each goes on for as long as it is read.
        stalls = {"X-LLM-Fault": "stall:60"}
        streams = (server.stream("/explain/stream", BODY, **stalls) for _ in range(2))
        async with next(streams) as one, next(streams) as two:
            assert (one.status_code, two.status_code) == (200, 200)
            refused = await server.client.post(PREFIX + STREAM, json=BODY)
            assert (refused.status_code, refused.json()["code"]) == (429, "llm_concurrency_limit")
            assert refused.headers["retry-after"] == "1"
        await until(lambda: not server.llm.streams.active, within_s=10)
        async with server.stream("/explain/stream", {"question": "Three?"}) as three:
            assert three.status_code == 200


async def test_tokens_of_a_day_are_bounded_by_prompt_max_tokens_and_use(start_app: AppFactory, tmp_path: Path) -> None:
    async with start_app(llm_config_file=limits_config(tmp_path, per_day=300)) as api:
        mine = await login(api)
        for too_much in ({**BODY, "max_tokens": 300}, {**BODY, "question": "word " * 400}):
            refused = await api.post(STREAM, too_much, mine)
            assert (refused.status_code, refused.json()["code"]) == (429, "llm_tokens_limit")
            assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600
        used = 0
        while (response := await api.post(STREAM, {**BODY, "max_tokens": 100}, mine)).status_code == 200:
            used += parse_events(response.text)[-2]["usage"]["total_tokens"]
            assert used <= 300
        assert response.status_code == 429
        assert used > 0


UNBOUNDED = """
providers:
  local: {kind: simulated}
models:
  plain: {provider: local}
  short: {provider: local, max_output_tokens: 30}
  narrow: {provider: local, context_tokens: 400}
  chatty: {provider: local, defaults: {max_tokens: 70}}
  deaf: {provider: local, max_output_tokens: 500}
tasks:
  explain: {primary: plain}
settings:
  limits: {requests_per_minute: 0, concurrent_requests: 0, tokens_per_day: DAY, concurrent_streams: 0}
param_policies:
  models:
    deaf: {drop: [max_tokens]}
"""


async def test_answer_can_be_no_longer_than_what_was_reserved_for_it(start_app: AppFactory, tmp_path: Path) -> None:
    config = config_file(tmp_path, UNBOUNDED.replace("DAY", "100000"))
    async with start_app(llm_config_file=config) as api:
        prepare, asked = api.llm.service.prepare, Question("explain", "Why?", SamplingParams(), None, None)
        for model, told in {"plain": 2048, "short": 30, "narrow": 100, "chatty": 70, "deaf": None}.items():
            question = replace(asked, model_name=model)
            (candidate,) = api.llm.gateway.candidates("explain", model, question.params)
            assert candidate.call.parameters.get("max_tokens") == told
            prepared = await prepare(Principal("user:e", caller="user:e"), question)
            assert prepared.output_tokens == (told or 500)
        response = await api.post(STREAM, {"question": "Why?", "model_name": "short"})
        assert parse_events(response.text)[-2]["usage"]["output_tokens"] <= 30


async def test_without_a_bound_on_tokens_the_provider_decides_how_long_an_answer_is(
    start_app: AppFactory, tmp_path: Path
) -> None:
    async with start_app(llm_config_file=config_file(tmp_path, UNBOUNDED.replace("DAY", "0"))) as api:
        (candidate,) = api.llm.gateway.candidates("explain", "plain", SamplingParams())
        assert "max_tokens" not in candidate.call.parameters


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("x" * 15_000, 5_000), ("字" * 15_000, 15_000), ("🦉" * 300, 400), ("\ud83d" * 3, 1)],
)
def test_prompt_is_reserved_by_its_bytes(text: str, tokens: int) -> None:
    assert conservative_prompt_tokens((Message("user", text),)) == 4 + tokens


async def test_of_many_at_once_a_day_takes_no_more_than_it_has(start_server: ServerFactory, tmp_path: Path) -> None:
    config = config_file(tmp_path, UNBOUNDED.replace("DAY", "5000"))
    async with start_server(llm_config_file=config, llm_simulator_speed="instant") as server:
        body = {"question": "字" * 700}
        answers = await asyncio.gather(*(server.client.post(PREFIX + STREAM, json=body) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200, 429}
        used = [parse_events(answer.text)[-2]["usage"] for answer in answers if answer.status_code == 200]
        assert sum(usage["total_tokens"] for usage in used) <= 5000


@pytest.fixture
async def redis(redis_url: str):  # type: ignore[no-untyped-def]
    async with open_client(Settings(_env_file=None), redis_url) as client:
        yield client


def limits_of(redis: Redis, *, at_once: int = 0, per_day: int = 0) -> UserLimits:
    return UserLimits(redis, Limits(requests_per_minute=0, concurrent_requests=at_once, tokens_per_day=per_day))


async def test_of_many_at_once_no_more_than_allowed_get_in(redis: Redis) -> None:
    limits = limits_of(redis, at_once=5)
    outcomes = await asyncio.gather(
        *(limits.admit("user:a", f"r{number}", tokens=1, lease_s=60, may_cost=False) for number in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, LLMLimitError) for outcome in outcomes) == 15
    leases = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    await limits.release(leases[0])
    await limits.admit("user:a", "again", tokens=1, lease_s=60, may_cost=False)


async def test_reserved_tokens_hold_others_back_until_they_are_settled(redis: Redis) -> None:
    limits = limits_of(redis, per_day=100)
    lease = await limits.admit("user:b", "one", tokens=80, lease_s=60, may_cost=False)
    with pytest.raises(LLMLimitError) as refused:
        await limits.admit("user:b", "two", tokens=80, lease_s=60, may_cost=False)
    assert refused.value.retry_after_s == 1
    await limits.settle(lease, tokens=10, failed=False)
    await limits.admit("user:b", "two", tokens=80, lease_s=60, may_cost=False)


async def test_prompt_counts_from_its_admission_and_what_was_too_much_is_given_back(redis: Redis) -> None:
    limits = limits_of(redis, per_day=100)
    for number in range(2):
        dead = await limits.admit("user:f", f"dead{number}", tokens=40, prompt=30, lease_s=0.001, may_cost=False)
        assert dead.counted == 30
    await asyncio.sleep(0.01)
    # The leases of both have ended, and nobody has settled: 60 of 100 are gone.
    with pytest.raises(LLMLimitError) as refused:
        await limits.admit("user:f", "three", tokens=41, lease_s=60, may_cost=False)
    assert refused.value.code == "llm_tokens_limit"
    lease = await limits.admit("user:f", "three", tokens=40, prompt=30, lease_s=60, may_cost=False)
    await limits.settle(lease, tokens=5, failed=False)
    other = await limits.admit("user:f", "four", tokens=35, prompt=5, lease_s=60, may_cost=False)
    await limits.withdraw(other)
    await limits.admit("user:f", "five", tokens=35, prompt=5, lease_s=60, may_cost=False)
    assert (await limits.statistics()).requests_count == 4


async def test_lease_of_a_process_that_died_ends_by_itself(redis: Redis) -> None:
    limits = limits_of(redis, at_once=1)
    await limits.admit("user:c", "dead", tokens=1, lease_s=0.05, may_cost=False)
    deadline = asyncio.get_running_loop().time() + 10
    while True:
        try:
            await limits.admit("user:c", "next", tokens=1, lease_s=60, may_cost=False)
        except LLMLimitError:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)
        else:
            break


async def test_without_redis_what_could_cost_money_is_refused_and_the_simulator_goes_on() -> None:
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}/0", socket_connect_timeout=0.2) as nowhere:
        limits = limits_of(nowhere, at_once=1)
        with pytest.raises(LimitsUnavailableError):
            await limits.admit("user:d", "one", tokens=1, lease_s=60, may_cost=True)
        lease = await limits.admit("user:d", "one", tokens=1, lease_s=60, may_cost=False)
        await limits.settle(lease, tokens=5, failed=False)
        with pytest.raises(StatisticsUnavailableError):
            await limits.statistics()


def test_a_day_ends_at_midnight_utc() -> None:
    assert ms_left_of_day(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)) == 1000
    assert ms_left_of_day(datetime(2026, 1, 1, tzinfo=UTC)) == 24 * 3600 * 1000
