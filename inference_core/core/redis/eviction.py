"""Check whether Redis servers can evict keys when they are full, which would lose sessions, tasks and results.

The policy and the used memory are read with `INFO memory`, because managed servers often forbid `CONFIG`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import RedisError

from inference_core.core.loggers import get_logger
from inference_core.core.redis.client import open_client, sync_client
from inference_core.core.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger(__name__)

SAFE_POLICY = "noeviction"
WARNING = "Redis may evict keys and lose sessions, tasks and results ({found}). Set maxmemory-policy to noeviction."


class ServerMemory(NamedTuple):
    """The memory that a server uses, and its limit (`maxmemory`), which is 0 if it has none."""

    used_bytes: int
    limit_bytes: int


def eviction_warning(policies: Mapping[str, str]) -> str | None:
    """Return a sentence about the servers that can evict keys, or None if no server can.

    Args:
        policies: The `maxmemory-policy` of each server, by the setting with its URL.
    """
    found = ", ".join(f"{name}: {policy}" for name, policy in policies.items() if policy != SAFE_POLICY)
    return WARNING.format(found=found) if found else None


def policy_in(info: Mapping[str, Any]) -> str:
    """Return the policy in a reply to `INFO memory`. A server without it counts as safe."""
    return str(info.get("maxmemory_policy", SAFE_POLICY))


def named_servers(settings: Settings) -> dict[str, str]:
    """Return the URL of each distinct server by the first setting that names it."""
    urls = {
        "REDIS_URL": settings.redis_url,
        "CELERY_BROKER_URL": settings.broker_url,
        "CELERY_RESULT_BACKEND": settings.result_backend,
    }
    return {name: url for index, (name, url) in enumerate(urls.items()) if url not in list(urls.values())[:index]}


def warn_of_eviction(settings: Settings) -> None:
    """Log one warning if a server can evict keys. Servers that do not respond are ignored."""
    policies = {}
    for name, url in named_servers(settings).items():
        try:
            with sync_client(settings, url) as redis:
                policies[name] = policy_in(redis.info("memory"))
        except (RedisError, OSError) as error:
            log.info("eviction_policy_unknown", server=name, error=type(error).__name__)
    if warning := eviction_warning(policies):
        log.warning(warning)


@dataclass(slots=True)
class EvictionWatch:
    """The last known policy and memory of each server.

    `warning` is one sentence, or None while no server can evict keys.
    """

    servers: Mapping[str, Redis]
    policies: dict[str, str]
    memory: dict[str, ServerMemory] = field(default_factory=dict)
    warning: str | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, redis: Redis) -> AsyncIterator[EvictionWatch]:
        """Watch the servers in the settings. `redis` is the client of `REDIS_URL`; others get one of their own."""
        async with AsyncExitStack() as stack:
            servers = {}
            for name, url in named_servers(settings).items():
                is_known = url == settings.redis_url
                client = open_client(settings, url, connections=1, retries=0)
                servers[name] = redis if is_known else await stack.enter_async_context(client)
            yield cls(servers, {})

    async def poll(self) -> None:
        """Read the policy of each server once. If a server does not respond, its last known policy remains."""
        for name, client in self.servers.items():
            try:
                info = await client.info("memory")
            except (RedisError, OSError) as error:
                # The health probe reports servers that do not respond. A server that forbids INFO cannot be checked.
                log.debug("eviction_policy_unknown", server=name, error=type(error).__name__)
                continue
            self.policies[name] = policy_in(info)
            if "used_memory" in info:
                self.memory[name] = ServerMemory(int(info["used_memory"]), int(info.get("maxmemory", 0)))
        before, self.warning = self.warning, eviction_warning(self.policies)
        if self.warning is not None and self.warning != before:
            log.warning(self.warning)
        elif before is not None and self.warning is None:
            log.info("redis_evicts_no_keys", policies=self.policies)
