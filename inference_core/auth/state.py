"""The state of accounts in one process: hashing threads, keys and script handles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference_core.auth.passwords import Passwords
from inference_core.auth.sessions import RefreshSessions
from inference_core.auth.throttle import Throttle
from inference_core.auth.tokens import AccessTokens
from inference_core.core.redis.clock import Clock
from inference_core.core.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class AuthState:
    """The objects that live longer than a request."""

    passwords: Passwords
    tokens: AccessTokens
    sessions: RefreshSessions
    throttle: Throttle
    clock: Clock

    @classmethod
    @contextmanager
    def open(cls, settings: Settings, redis: Redis) -> Iterator[AuthState]:
        """Create the state. The hashing threads stop with the context."""
        passwords = Passwords(settings)
        try:
            yield cls(
                passwords=passwords,
                tokens=AccessTokens(settings),
                sessions=RefreshSessions(redis, settings),
                throttle=Throttle(redis, settings),
                clock=Clock(redis),
            )
        finally:
            passwords.close()
