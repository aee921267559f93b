"""A prompt that was sent is counted and charged, whatever ends the request. A refused prompt is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from inference_core.core.redis.client import open_client
from inference_core.llm.errors import LLMError
from inference_core.llm.tasks import wait_before_retry
from inference_core.llm.worker.answering import answer
from tests.service.conftest import AppFactory
from tests.service.llm.conftest import ServerFactory
from tests.service.llm.routes.test_redelivery import job_of
from tests.support.accounts import PREFIX, Api, Tokens
from tests.support.llm import config_file, until
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio

PROMPT = "Tell me everything. " * 60
# Three bytes for a token: so much at least is the estimate of the prompt.
PROMPT_TOKENS = len(PROMPT) // 3
CONFIG = """
models:
  small: {provider: local, max_output_tokens: 20000}
providers:
  local: {kind: simulated}
tasks:
  explain: {primary: small}
  conversation: {primary: small}
settings:
  limits: {requests_per_minute: 0, concurrent_requests: 0, tokens_per_day: 1000000, concurrent_streams: 0}
  max_retries: 0
"""


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_client(Settings(_env_file=None), redis_url) as client:
        yield client


async def counted(redis: Redis) -> tuple[int, int]:
    """Tokens of the day and leases, of all callers."""
    days = [int(await redis.get(key) or 0) async for key in redis.scan_iter("llm:tokens:*")]
    return sum(days), sum([await redis.zcard(key) async for key in redis.scan_iter("llm:leases:*")])


async def totals(api: Api, tokens: Tokens) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get("/llm/usage", tokens)).json()["totals"]
    return found


async def test_F25_prompt_of_a_client_that_leaves_before_the_first_token_counts(
    start_server: ServerFactory, tmp_path: Path, redis: Redis
) -> None:
    async with start_server(llm_config_file=config_file(tmp_path, CONFIG)) as server:
        api = Api(client=server.client, app=None, settings=None, state=server.state)  # type: ignore[arg-type]
        tokens = await api.login(await api.register())
        headers = {"X-LLM-Fault": "slow_first_token:60", "Authorization": f"Bearer {tokens.access}"}
        for number in range(1, 4):
            request = server.client.post(
                f"{PREFIX}/llm/explain/stream", json={"question": PROMPT, "max_tokens": 50}, headers=headers
            )
            asking = asyncio.create_task(request)
            await until(lambda: server.engine.running == 1, what="the prompt sent")
            asking.cancel()
            await until(lambda: not server.llm.streams.active, what="the stream ended")
            used, leases = await counted(redis)
            assert leases == 0
            assert number * PROMPT_TOKENS <= used <= number * (PROMPT_TOKENS + 100)
            books = await totals(api, tokens)
            assert (books["requests"], books["total_tokens"], books["output_tokens"]) == (number, used, 0)
        stats = (await api.get("/llm/stats", tokens)).json()["stats"]
        assert (stats["requests_count"], stats["total_tokens"]) == (3, used)


@pytest.mark.parametrize(
    ("fault", "prompts"),
    [
        ("rate_limited:7", 0),
        ("auth_failed", 0),
        ("context_too_long", 0),
        ("connect_refused", 0),
        ("model_not_found", 0),
        ("slow_first_token:60", 1),  # until the request's own time is over
    ],
)
async def test_prompt_counts_unless_the_provider_refused_it(
    start_app: AppFactory, tmp_path: Path, redis: Redis, fault: str, prompts: int
) -> None:
    async with start_app(llm_config_file=config_file(tmp_path, CONFIG)) as api:
        tokens = await api.login(await api.register())
        body = {"question": PROMPT, "max_tokens": 50, "request_timeout": 1}
        response = await api.post("/llm/explain/stream", body, tokens, headers={"X-LLM-Fault": fault})
        assert response.status_code >= 400
        used, leases = await counted(redis)
        assert leases == 0
        assert prompts * PROMPT_TOKENS <= used <= prompts * (PROMPT_TOKENS + 100)
        books = await totals(api, tokens)
        assert (books["requests"], books["total_tokens"]) == (prompts, used)


async def test_prompt_of_a_task_counts_from_before_it_is_sent_and_its_answer_replaces_it(
    start_app: AppFactory, tmp_path: Path, redis: Redis
) -> None:
    async with start_app(llm_config_file=config_file(tmp_path, CONFIG)) as api:
        user = await api.register()
        tokens, task_id = await api.login(user), str(uuid4())
        job = job_of(user.id, question=PROMPT)
        await api.llm.service.limits.admit(job.key, task_id, tokens=9000, lease_s=600, may_cost=False)
        slow = job_of(user.id, question=PROMPT, fault="slow_first_token:60")
        asking = asyncio.create_task(answer(api.settings, slow, task_id))
        deadline_s = asyncio.get_running_loop().time() + 20
        while (await totals(api, tokens))["requests"] == 0:
            assert asyncio.get_running_loop().time() < deadline_s, "the prompt was not noted"
            await asyncio.sleep(0.02)
        # Whatever happens to the process from here on, this stands.
        used, leases = await counted(redis)
        assert leases == 1
        assert PROMPT_TOKENS <= used <= PROMPT_TOKENS + 100
        assert (await totals(api, tokens))["total_tokens"] == used
        asking.cancel()
        await asyncio.wait({asking})
        assert await counted(redis) == (used, 0)
        assert (await totals(api, tokens))["requests"] == 1
        # The same task again: another prompt, and an answer whose true usage takes the estimate's place.
        outcome = await answer(api.settings, job, task_id)
        books = await totals(api, tokens)
        assert (books["requests"], books["total_tokens"]) == (2, used + outcome.usage.total_tokens)
        assert await counted(redis) == (books["total_tokens"], 0)


@pytest.mark.parametrize(
    ("fault", "prompts"), [("rate_limited:1", 0), ("rate_limited:600", 0), ("auth_failed", 0), ("reset", 1)]
)
async def test_failed_task_counts_what_was_sent_and_keeps_its_lease_only_to_come_back(
    start_app: AppFactory, tmp_path: Path, redis: Redis, fault: str, prompts: int
) -> None:
    async with start_app(llm_config_file=config_file(tmp_path, CONFIG)) as api:
        user = await api.register()
        tokens, task_id = await api.login(user), str(uuid4())
        job = job_of(user.id, question=PROMPT, fault=fault)
        await api.llm.service.limits.admit(job.key, task_id, tokens=9000, lease_s=600, may_cost=False)
        with pytest.raises(LLMError):
            await answer(api.settings, job, task_id, lambda error: wait_before_retry(error, 0, 3) is not None)
        used, leases = await counted(redis)
        assert leases == int(fault == "rate_limited:1")
        assert prompts * PROMPT_TOKENS <= used <= prompts * (PROMPT_TOKENS + 100)
        books = await totals(api, tokens)
        assert (books["requests"], books["total_tokens"]) == (prompts, used)
        assert (await api.get("/llm/usage", tokens)).json()["items"] == [] or prompts > 0


async def test_error_that_nobody_expected_releases_the_lease(
    start_app: AppFactory, tmp_path: Path, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_app(llm_config_file=config_file(tmp_path, CONFIG)) as api:
        user = await api.register()
        task_id = str(uuid4())
        job = job_of(user.id)
        await api.llm.service.limits.admit(job.key, task_id, tokens=9000, lease_s=600, may_cost=False)

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("inference_core.llm.worker.answering.build_messages", broken)
        with pytest.raises(ZeroDivisionError):
            await answer(api.settings, job, task_id)
        assert await counted(redis) == (0, 0)
