"""F03 for the limits of users: a Redis that pauses holds no request's lease for longer than it pauses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from inference_core.llm.accounting.limits import LimitsUnavailableError, UserLimits
from inference_core.llm.config.schema import Limits
from tests.service.conftest import sqlite_threads_end
from tests.service.faults.conftest import OwnRedis
from tests.support.llm import kinds, limits_config, llm_server, parse_events, until
from tests.support.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.full]
BODY = {"question": "Why?", "max_tokens": 40}


async def held(redis: Redis) -> int:
    return sum([await redis.zcard(key) async for key in redis.scan_iter("*llm:leases:*")])


@pytest.mark.parametrize("before", [0.0, 0.03, 0.1], ids=["as they begin", "while they begin", "while they end"])
async def test_F03_pause_of_redis_leaves_no_lease_and_counts_each_stream_once(
    tmp_path: Path, own_redis: OwnRedis, before: float
) -> None:
    settings = Settings(
        _env_file=None,
        environment="testing",
        redis_url=own_redis.url,
        redis_timeout_s=0.2,
        database_url=f"sqlite:///{tmp_path / 'service.db'}",
        llm_config_file=limits_config(tmp_path),
        llm_simulator_speed="fast",
    )
    async with llm_server(settings) as server, Redis.from_url(own_redis.url, socket_timeout=10) as redis:

        async def stream() -> int:
            async with server.stream("/explain/stream", BODY) as response:
                events = parse_events((await response.aread()).decode())
            assert kinds(events) == ["start", "token", "usage", "end"]
            return int(events[-2]["usage"]["total_tokens"])

        assert await held(redis) == 0
        streams = [asyncio.create_task(stream()) for _ in range(30)]
        await asyncio.sleep(before)
        await redis.execute_command("CLIENT", "PAUSE", 1500, "ALL")
        used = sum(await asyncio.gather(*streams))
        limits = server.llm.service.limits
        await until(lambda: not limits.unsettled, within_s=20, what="everything settled")
        assert await held(redis) == 0
        counted = await limits.statistics()
        # A stream that Redis never let begin is counted at its end, unless Redis is away then as well.
        assert counted.total_tokens <= used
        assert counted.requests_count <= 30
        days = [int(await redis.get(key) or 0) async for key in redis.scan_iter("*llm:tokens:*")]
        assert sum(days) == counted.total_tokens
    await sqlite_threads_end()


async def test_F03_lease_of_a_request_that_was_given_up_while_redis_paused_is_taken_back(
    tmp_path: Path, own_redis: OwnRedis
) -> None:
    async with (
        Redis.from_url(own_redis.url, socket_timeout=0.2) as impatient,
        Redis.from_url(own_redis.url, socket_timeout=10) as redis,
    ):
        limits = UserLimits(impatient, Limits())
        kept = await limits.admit("user:a", "kept", tokens=50, prompt=20, lease_s=600, may_cost=True)
        await redis.execute_command("CLIENT", "PAUSE", 800, "ALL")
        with pytest.raises(LimitsUnavailableError):
            await limits.admit("user:a", "given-up", tokens=50, prompt=20, lease_s=600, may_cost=True)
        await limits.settle(kept, tokens=30, failed=False)
        assert limits.unsettled == 2
        assert await limits.settle_again() is False
        deadline_s = asyncio.get_running_loop().time() + 10
        while not await limits.settle_again():
            assert asyncio.get_running_loop().time() < deadline_s
        await limits.settle_again()
        assert await held(redis) == 0
        assert (await limits.statistics()).total_tokens == 30
        assert (await limits.statistics()).requests_count == 1
