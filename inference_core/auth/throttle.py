"""Slows down guessing: failed logins are counted per account and address prefix, mails per account; never plain use."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference_core.exceptions import ThrottledError
from inference_core.redis.errors import redis_unavailable_as_domain_error
from inference_core.redis.scripts import LuaScript
from inference_core.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

PACKAGE = "inference_core.auth"
FAILURES_KEY = "auth:failures:"
LOCK_KEY = "auth:lock:"
QUOTA_KEY = "auth:mails:"
HOUR_MS = 3600 * 1000
PREFIX_BITS = {4: 24, 6: 64}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One account tried from one neighbourhood of addresses: what failures are counted by."""

    account: str
    prefix: str

    @property
    def keys(self) -> list[str]:
        """The Redis keys of its counter and its lock; without the account's name in clear."""
        name = f"{hashlib.sha256(self.account.encode()).hexdigest()[:32]}:{self.prefix}"
        return [FAILURES_KEY + name, LOCK_KEY + name]


def address_prefix(address: str) -> str:
    """The network a client shares with its neighbours: /24 of IPv4, /64 of IPv6; other names as they are."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network(f"{parsed}/{PREFIX_BITS[parsed.version]}", strict=False))


def seconds_of(remaining_ms: float) -> int:
    """What `Retry-After` says of a lock's rest: at least a second."""
    return math.ceil(remaining_ms / 1000)


class Throttle:
    """The counters. Every call raises `SessionStoreUnavailableError` when Redis does not answer."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._limits = (
            settings.login_failures_allowed,
            settings.login_lock_s * 1000,
            settings.login_lock_max_s * 1000,
            settings.login_failures_window_s * 1000,
        )
        self._mails_per_hour = settings.mails_per_account_per_hour
        self._failed = LuaScript(client, PACKAGE, "login_failed")
        self._quota = LuaScript(client, PACKAGE, "quota")

    async def check(self, attempt: Attempt) -> None:
        """Let an attempt pass unless it is locked.

        Raises:
            ThrottledError: with the time to wait.
        """
        with redis_unavailable_as_domain_error():
            remaining_ms = await self._client.pttl(attempt.keys[1])
        if remaining_ms > 0:
            raise ThrottledError(seconds_of(remaining_ms))

    async def failed(self, attempt: Attempt) -> None:
        """Count a failure."""
        await self._failed(attempt.keys, *self._limits)

    async def clear(self, attempt: Attempt) -> None:
        """Forget the failures after a success."""
        with redis_unavailable_as_domain_error():
            await self._client.delete(*attempt.keys)

    async def may_mail(self, address: str) -> bool:
        """Count a mail that anybody can ask for; False when the account has had enough for this hour."""
        name = hashlib.sha256(address.encode()).hexdigest()[:32]
        used = await self._quota([QUOTA_KEY + name], HOUR_MS)
        return int(used) <= self._mails_per_hour
