"""The clients that put the service's prefix before every key."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from inference_core.core.redis.client import broker_client, open_client
from inference_core.core.redis.keyspace import UnknownKeysError, prefixed
from inference_core.core.settings import SettingsError
from tests.support.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("GET", "a"), ("GET", "p:a")),
        (("SET", b"a", "a"), ("SET", "p:a", "a")),
        (("DEL", "a", "b"), ("DEL", "p:a", "p:b")),
        (("EVALSHA", "hash", 2, "a", "b", "c"), ("EVALSHA", "hash", 2, "p:a", "p:b", "c")),
        (("EVAL", "return 1", 0, "c"), ("EVAL", "return 1", 0, "c")),
        (("SCAN", "0", b"MATCH", "a*", b"COUNT", 5), ("SCAN", "0", b"MATCH", "p:a*", b"COUNT", 5)),
        (("PING",), ("PING",)),
    ],
)
def test_the_prefix_comes_before_each_key_and_before_nothing_else(
    command: tuple[Any, ...], expected: tuple[Any, ...]
) -> None:
    assert prefixed("p:", command) == expected


@pytest.mark.parametrize("command", [("FLUSHDB",), ("KEYS", "*"), ("SCAN", "0"), ("RENAME", "a", "b"), ("NO SUCH",)])
def test_a_command_that_would_reach_other_services_is_refused(command: tuple[Any, ...]) -> None:
    with pytest.raises(UnknownKeysError):
        prefixed("p:", command)


@pytest.mark.anyio
async def test_calls_pipelines_scripts_and_scans_keep_to_the_prefix(redis_url: str) -> None:
    settings = Settings(_env_file=None, redis_url=redis_url, redis_prefix="own")
    with Redis.from_url(redis_url) as everything, broker_client(settings) as sync:
        everything.set("outside", "1")
        async with open_client(settings, redis_url) as client:
            await client.set("outside", "2")
            pipeline = client.pipeline(transaction=True)
            pipeline.hset("hash", "field", "3")
            pipeline.expire("hash", 60)
            await pipeline.execute()
            await client.register_script("redis.call('SET', KEYS[1], ARGV[1])")(keys=["script"], args=["4"])
            assert {key async for key in client.scan_iter("*")} == {b"outside", b"hash", b"script"}
        assert (sync.get("outside"), sync.hgetall("hash"), sync.get("script")) == (b"2", {b"field": b"3"}, b"4")
        assert everything.get("outside") == b"1"
        sync.delete("outside", "hash", "script")
        assert not everything.keys("own:*")
        everything.delete("outside")


@pytest.mark.parametrize(
    ("app_name", "prefix", "expected"),
    [
        ("inference-core", "", "inference-core:"),
        ("Shop & Co", "", "Shop-Co:"),
        ("Größe", "", "Gr-e:"),
        ("a:b*[c]{d}", "", "a-b-c-d-:"),
        ("anything", "own.name_1-2", "own.name_1-2:"),
        ("***", "own", "own:"),
    ],
)
def test_the_prefix_is_the_applications_name_unless_one_is_set(app_name: str, prefix: str, expected: str) -> None:
    assert Settings(_env_file=None, app_name=app_name, redis_prefix=prefix).key_prefix == expected


@pytest.mark.parametrize("prefix", ["a:b", "a b", "*", "a{b}", "é", "a" * 65, "a,b"])
def test_a_prefix_with_a_meaning_of_its_own_is_refused_in_one_line(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PREFIX", prefix)
    with pytest.raises(SettingsError, match="REDIS_PREFIX must contain only letters") as raised:
        load_settings(None)
    assert len(str(raised.value).splitlines()) == 1


def test_a_name_without_a_letter_needs_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_NAME", "***")
    with pytest.raises(SettingsError, match="REDIS_PREFIX"):
        load_settings(None)
