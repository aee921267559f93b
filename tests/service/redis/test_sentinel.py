"""`sentinel://` URLs on real Sentinels: who the master is, and what happens when they cannot say."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from inference_core.app.stack.ports import free_port
from inference_core.core.queue.app import create_celery
from inference_core.core.redis.client import broker_client, open_client
from tests.support.processes import wait_until
from tests.support.redis_uses import use_everywhere
from tests.support.servers.sentinels import (
    LOGIN,
    NAME,
    PASSWORD,
    SENTINEL_LOGIN,
    SENTINEL_PASSWORD,
    SentinelGroup,
)
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.settings import Settings, service
from tests.support.tls_proxy import make_certificate, tls_proxy

pytestmark = [pytest.mark.full, pytest.mark.process, pytest.mark.anyio]


@contextmanager
def stopped(group: SentinelGroup, *ports: int) -> Iterator[None]:
    """Freeze Sentinels."""
    for port in ports:
        group.sentinels[port].send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for port in ports:
            group.sentinels[port].send_signal(signal.SIGCONT)


def settings_of(url: str, **given: object) -> Settings:
    # On a busy machine, a new connection can take longer than the defaults.
    patient = {"redis_connect_timeout_s": 5, "redis_timeout_s": 5, **given}
    return Settings(_env_file=None, redis_url=url, **patient)


async def refusals(url: str) -> list[str]:
    """Why a client for the event loop, and one for threads, cannot work with this URL."""
    settings = settings_of(url)
    async with open_client(settings, settings.redis_url) as client:
        with pytest.raises(RedisConnectionError) as raised:
            await client.ping()
    with broker_client(settings) as sync_client, pytest.raises(RedisConnectionError) as raised_sync:
        sync_client.ping()
    return [str(raised.value), str(raised_sync.value)]


async def test_it_serves_the_api_the_broker_and_the_results(group: SentinelGroup) -> None:
    settings = settings_of(f"{group.url}&db=2", redis_prefix="serves")
    keys = await use_everywhere(settings)
    with group.server(group.master_port()) as master:
        master.select(2)
        assert set(master.keys("serves:*")) >= keys | {"serves:default"}
    worker = create_celery(service, settings, "worker")
    shown = [worker.connection_for_read().as_uri(), worker.backend.as_uri(), repr(worker.conf.broker_transport_options)]
    secrets = {PASSWORD, LOGIN, SENTINEL_PASSWORD, SENTINEL_LOGIN}
    assert not [text for text in shown if any(secret in text for secret in secrets)]


async def test_after_a_failover_every_client_uses_the_new_master(group: SentinelGroup) -> None:
    settings = settings_of(group.url, redis_prefix="failover")
    async with open_client(settings, settings.redis_url) as client:
        with broker_client(settings) as sync_client:
            await asyncio.gather(*(client.set(f"before {number}", "1") for number in range(5)))
            sync_client.set("before", "1")
            group.wait_for_copy()
            old = group.kill_master()
            group.wait_for_other_master(old)
            await client.set("after", "1")
            sync_client.set("after too", "1")
            assert await client.exists("before", *(f"before {number}" for number in range(5)), "after too") == 7


async def test_an_open_connection_to_a_server_that_has_become_a_replica_is_given_up(group: SentinelGroup) -> None:
    """As after a failover that did not close the connections."""
    settings = settings_of(group.url, redis_prefix="demoted")
    async with open_client(settings, settings.redis_url, retries=0) as client:
        with broker_client(settings) as sync_client, group.server(group.master_port()) as master:
            await client.set("one", "1")
            sync_client.set("one", "1")
            master.replicaof("127.0.0.1", "1")
            # A script is refused as a command is.
            with pytest.raises(RedisConnectionError, match="no longer the master"):
                await client.eval("return redis.call('SET', KEYS[1], 1)", 1, "one")
            with pytest.raises(RedisConnectionError, match="no longer the master"):
                sync_client.set("one", "2")
            with pytest.raises(RedisConnectionError, match=r"the server that Sentinel names as the master is a"):
                sync_client.get("one")
            master.replicaof("NO", "ONE")
            wait_until(lambda: sync_client.set("one", "3"))
            await client.set("one", "4")


async def test_an_idle_connection_to_an_old_master_is_not_used_again(group: SentinelGroup) -> None:
    """It would read old data, and its writes would be lost, until the Sentinels have reconfigured the old master."""
    settings = settings_of(group.url, redis_prefix="idle", redis_timeout_s=0.5)
    async with open_client(settings, settings.redis_url) as client:
        await asyncio.gather(*(client.set("one", "1") for _ in range(5)))
        old = group.master_port()
        group.servers[old].send_signal(signal.SIGSTOP)
        group.wait_for_other_master(old)
        failures = 0
        for _ in range(20):
            try:
                await client.set("two", "2")
            except RedisError:
                failures += 1
        # Only the first connection is found to be silent; it learns who the master is.
        assert failures <= 1
        group.servers[old].send_signal(signal.SIGCONT)
        assert await client.get("two") == b"2"


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_one_sentinel_is_enough(group: SentinelGroup, fault: str) -> None:
    first, second, third = group.sentinels
    settings = settings_of(group.url_of(first, second, third), redis_connect_timeout_s=0.5)
    if fault == "killed":
        for port in (first, second):
            group.sentinels[port].kill()
            group.sentinels[port].wait()
    with stopped(group, *([first, second] if fault == "frozen" else [])):
        async with open_client(settings, settings.redis_url) as client:
            start_s = time.monotonic()
            await client.ping()
            first_s = time.monotonic() - start_s
            assert await asyncio.gather(*(client.ping() for _ in range(10))) == [True] * 10
    assert first_s < 20


async def test_a_sentinel_that_names_an_old_master_is_asked_last(group: SentinelGroup, tmp_path: Path) -> None:
    """As one does that is cut off from the others during a failover."""
    alone = SentinelGroup(tmp_path)
    with alone.stack:
        alone.start_sentinel(free_port(), master=free_port())
        settings = settings_of(group.url_of(*alone.sentinels, *group.sentinels))
        async with open_client(settings, settings.redis_url) as client:
            await client.ping()
        with broker_client(settings) as sync_client:
            sync_client.ping()
            assert sync_client.connection_pool.connection_kwargs["masters"].sentinels[-1].port in alone.sentinels


async def test_without_a_sentinel_the_reason_of_each_is_given(group: SentinelGroup) -> None:
    for reason in await refusals(group.url_of(1, 2)):
        assert f"no Sentinel knows the master {NAME!r}" in reason
        assert "127.0.0.1:1: " in reason
        assert "127.0.0.1:2: " in reason


async def test_a_name_that_no_sentinel_knows_is_said(group: SentinelGroup) -> None:
    for reason in await refusals(group.url_of(*group.sentinels, name="other")):
        assert "no Sentinel knows the master 'other'" in reason
        assert reason.count("no such master") == 3


@pytest.mark.parametrize(("login", "said"), [("", "uthentication required"), ("wrong", "invalid username-password")])
async def test_a_wrong_password_of_the_sentinels_is_said_and_not_shown(
    group: SentinelGroup, login: str, said: str
) -> None:
    for reason in await refusals(group.url_of(*group.sentinels, sentinel_login=login)):
        assert reason.count(said) == 3
        assert "wrong" not in reason


async def test_a_wrong_password_of_the_servers_is_said(group: SentinelGroup) -> None:
    for reason in await refusals(group.url_of(*group.sentinels, login="wrong")):
        assert "invalid username-password" in reason


async def test_with_tls_both_the_sentinels_and_the_servers_must_have_a_good_certificate(tmp_path: Path) -> None:
    try:
        certificate, key = make_certificate(tmp_path)
    except ServerUnavailableError as error:
        skip_or_fail(error)
    group, server, sentinel = SentinelGroup(tmp_path), free_port(), free_port()
    with group.stack, tls_proxy(certificate, key, server) as tls_server, tls_proxy(certificate, key, sentinel) as tls:
        group.start_server(server)
        # The Sentinel does not speak TLS and cannot see this master, but names it.
        group.start_sentinel(sentinel, master=tls_server)
        url = group.url_of(tls).replace("sentinel://", "sentinels://")
        trusting = settings_of(f"{url}&ssl_ca_certs={certificate}", redis_connect_timeout_s=30)
        async with open_client(trusting, trusting.redis_url) as client:
            await client.set("one", "1")
        with broker_client(trusting) as sync_client:
            assert sync_client.get("one") == b"1"
        worker = create_celery(service, trusting, "worker")
        assert await asyncio.to_thread(worker.backend.client.ping)
        with worker.connection_for_read() as connection:
            assert await asyncio.to_thread(lambda: bool(connection.default_channel.client.ping()))
        for reason in await refusals(url):
            assert "certificate verify failed" in reason
