"""An address that leads to another server after a failover, while the old server lives on as a replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from inference_core.app.stack.ports import LOOPBACK, free_port
from inference_core.core.queue.app import create_celery
from inference_core.core.queue.sender import TaskSender
from inference_core.core.redis.client import broker_client, open_client
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.processes import redis_server, wait_until
from tests.support.settings import Settings, service

pytestmark = [pytest.mark.process, pytest.mark.anyio]


@dataclass(frozen=True, slots=True)
class Address:
    """An address in front of two servers. Open connections stay where they are when it moves."""

    proxy: FaultProxy
    first: int
    second: int

    @property
    def settings(self) -> Settings:
        # On a busy machine, a new connection can take longer than the defaults.
        patient = {"redis_connect_timeout_s": 5, "redis_timeout_s": 5}
        url = f"redis://{LOOPBACK}:{self.proxy.port}/0"
        return Settings(_env_file=None, redis_url=url, redis_prefix="s", **patient)

    def move(self) -> None:
        """Make the first server a replica of the second, to which the address leads from now on."""
        with Redis(port=self.first) as old, Redis(port=self.second) as new:
            old.replicaof(LOOPBACK, self.second)
            new.set("moved", "1")
            wait_until(lambda: old.get("moved") == b"1", what="the old server is a replica")
        self.proxy.upstream = self.second


@pytest.fixture
def address(tmp_path: Path) -> Iterator[Address]:
    first, second = free_port(), free_port()
    with (
        redis_server(tmp_path / "first", first),
        redis_server(tmp_path / "second", second, "--repl-diskless-sync-delay", "0"),
        fault_proxy(first) as proxy,
    ):
        yield Address(proxy, first, second)


async def test_every_client_follows_the_address(address: Address) -> None:
    settings = address.settings
    worker = create_celery(service, settings, "worker")
    async with open_client(settings, settings.redis_url) as client, TaskSender.open(service, settings) as sender:
        with broker_client(settings) as sync_client:

            async def write(name: str) -> None:
                await client.set(name, "1")
                await client.eval("return redis.call('SET', KEYS[1], 1)", 1, f"{name} script")
                async with client.pipeline(transaction=True) as pipeline:
                    await pipeline.set(f"{name} transaction", "1").execute()
                await asyncio.to_thread(sync_client.set, f"{name} thread", "1")
                await asyncio.to_thread(worker.backend.client.set, f"s:{name} result", "1")
                await sender.send("any.task")

            await write("before")
            await asyncio.to_thread(address.move)
            # The clients of threads do not repeat a call by themselves.
            for call in (sync_client.set, worker.backend.client.set):
                with pytest.raises(RedisConnectionError, match="no longer the master"):
                    await asyncio.to_thread(call, "s:refused", "1")
            await write("after")
    with Redis(port=address.second) as new:
        assert set(new.keys("s:after*")) == {
            f"s:after{use}".encode() for use in ("", " script", " transaction", " thread", " result")
        }
        assert new.llen("s:default") == 1


async def test_a_server_that_stays_a_replica_is_an_outage(address: Address) -> None:
    settings = address.settings
    with Redis(port=address.first) as server:
        async with open_client(settings, settings.redis_url) as client:
            await client.set("one", "1")
            server.replicaof(LOOPBACK, 1)
            with pytest.raises(RedisConnectionError, match="no longer the master"):
                await client.set("one", "2")
            # Reads are served.
            assert await client.get("one") == b"1"
            server.replicaof("NO", "ONE")
            await client.set("one", "3")
