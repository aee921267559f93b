"""Limits on guessing, on hashing and on mail, by account and by the caller's network; a correct login costs neither.

A network is the /24 of an IPv4 address or the /64 of an IPv6 address.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.limits.buckets import PACKAGE, Bucket, Buckets
from inference_core.auth.settings import AuthSettings
from inference_core.core.exceptions import ThrottledError
from inference_core.core.loggers import get_logger
from inference_core.core.redis.errors import redis_errors_as
from inference_core.core.redis.scripts import LuaScript

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger(__name__)

FAILURES_KEY = "auth:failures:"
LOCK_KEY = "auth:lock:"
MINUTE_S = 60
HOUR_S = 3600
# Time after which the failed logins of one network are forgotten.
NETWORK_FAILURES_WINDOW_S = 5 * MINUTE_S
# The mail limit of an account over all networks, as a multiple of the limit of one network.
NETWORKS_PER_ACCOUNT = 4

MailKind = Literal["reset", "verification", "notice", "invitation"]


class AccountLimitError(ThrottledError):
    """Raised if the account has had too many failed logins over all networks."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An identifier (user name or email) and a network, by which failures are counted.

    Failures are not counted by account: a shared count of a user name and an email would show that both belong to one
    account.
    """

    login: str
    prefix: str

    @property
    def keys(self) -> list[str]:
        """Return the Redis keys of the counter and the lock."""
        name = f"{_hidden(self.login)}:{self.prefix}"
        return [FAILURES_KEY + name, LOCK_KEY + name]


def seconds_of(remaining_ms: float) -> int:
    """Return the `Retry-After` of a lock: its remaining time, at least one second."""
    return math.ceil(remaining_ms / 1000)


def _hidden(text: str) -> str:
    """Return a part of a key that represents a name or an address without showing it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Throttle:
    """The counters. All calls except `admit_hash` raise `SessionStoreUnavailableError` when Redis does not respond."""

    def __init__(self, client: Redis, settings: AuthSettings) -> None:
        self._client = client
        self._settings = settings
        self._buckets = Buckets(client)
        self._failed = LuaScript(client, PACKAGE, "login_failed", SessionStoreUnavailableError)

    async def admit(self, attempt: Attempt, *, over_account_limit: bool = False) -> None:
        """Admit a password comparison. It counts as failed until `passed` undoes this.

        Args:
            attempt: The identifier and the network.
            over_account_limit: Whether to ignore the limit of the account.

        Raises:
            AccountLimitError: The account has had too many failures over all networks.
            ThrottledError: The attempt is locked, or its network has had too many failures or requests.
        """
        account = self._account_failures(attempt)
        buckets = [self._hashes(attempt.prefix), self._network_failures(attempt.prefix)]
        if not over_account_limit:
            buckets.append(account)
        refusal = await self._buckets.take(buckets, unless_locked=attempt.keys[1:])
        if refusal is not None:
            kind = AccountLimitError if refusal.key == account.key else ThrottledError
            raise kind(seconds_of(refusal.wait_ms))

    async def check(self, attempt: Attempt) -> None:
        """Admit an attempt unless it is locked.

        Raises:
            ThrottledError: The attempt is locked.
        """
        with redis_errors_as(SessionStoreUnavailableError):
            remaining_ms = await self._client.pttl(attempt.keys[1])
        if remaining_ms > 0:
            raise ThrottledError(seconds_of(remaining_ms))

    async def failed(self, attempt: Attempt) -> None:
        """Count a failure of an admitted attempt."""
        settings = self._settings
        lock_ms, most_ms = settings.login_lock_s * 1000, settings.login_lock_max_s * 1000
        window_ms = settings.login_failures_window_s * 1000
        await self._failed(attempt.keys, settings.login_failures_allowed, lock_ms, most_ms, window_ms)

    async def passed(self, attempt: Attempt, *, over_account_limit: bool = False) -> None:
        """Undo the failure of an attempt. The arguments are those of its admission."""
        buckets = [self._network_failures(attempt.prefix)]
        if not over_account_limit:
            buckets.append(self._account_failures(attempt))
        await self._buckets.give_back(buckets)

    async def clear(self, attempts: Sequence[Attempt]) -> None:
        """Reset the failures and the locks of these attempts, and the failures of their accounts."""
        keys = [key for attempt in attempts for key in (*attempt.keys, self._account_failures(attempt).key)]
        with redis_errors_as(SessionStoreUnavailableError):
            await self._client.delete(*keys)

    async def admit_hash(self, prefix: str) -> None:
        """Admit a password hash for a network.

        While Redis is unavailable, every hash is admitted. The limit only bounds the load, and nobody can log in then.

        Raises:
            ThrottledError: The network has requested too many.
        """
        try:
            refusal = await self._buckets.take([self._hashes(prefix)])
        except SessionStoreUnavailableError:
            log.warning("hash_not_counted")
            return
        if refusal is not None:
            raise ThrottledError(seconds_of(refusal.wait_ms))

    async def admit_mail(self, kind: MailKind, address: str, prefix: str) -> int:
        """Count a mail to `address` that a network requests.

        Return 0, or the seconds after which the address can get another mail of this kind.

        Raises:
            ThrottledError: The network has requested too many mails, to any addresses.
        """
        per_hour = self._settings.mails_per_account_per_hour
        network = Bucket(f"auth:mail-network:{prefix}", self._settings.mails_per_network_per_minute, MINUTE_S)
        name = f"auth:mails:{kind}:{_hidden(address)}"
        from_network = Bucket(f"{name}:{prefix}", per_hour, HOUR_S)
        from_all = Bucket(name, NETWORKS_PER_ACCOUNT * per_hour, HOUR_S)
        refusal = await self._buckets.take([network, from_network, from_all])
        if refusal is not None and refusal.key == network.key:
            raise ThrottledError(seconds_of(refusal.wait_ms))
        return seconds_of(refusal.wait_ms) if refusal is not None else 0

    async def first_warning(self, login: str) -> bool:
        """Return whether the owner of an account over its limit was not warned within `LOGIN_FAILURES_WINDOW_S`."""
        window_s = self._settings.login_failures_window_s
        return await self._buckets.take([Bucket(f"auth:warned:{_hidden(login)}", 1, window_s)]) is None

    def _hashes(self, prefix: str) -> Bucket:
        return Bucket(f"auth:hashes:{prefix}", self._settings.passwords_per_network_per_minute, MINUTE_S)

    def _network_failures(self, prefix: str) -> Bucket:
        allowed = self._settings.login_failures_per_network
        return Bucket(f"auth:network-failures:{prefix}", allowed, NETWORK_FAILURES_WINDOW_S)

    def _account_failures(self, attempt: Attempt) -> Bucket:
        allowed = self._settings.login_failures_per_account
        return Bucket(f"auth:account-failures:{_hidden(attempt.login)}", allowed, HOUR_S)
