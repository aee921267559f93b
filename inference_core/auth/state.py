"""The state of accounts in one process: hashing threads, keys, script handles and unsaved uses of API keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference_core.auth.admin.first_superuser import creating_first_superuser
from inference_core.auth.api_keys.uses import KeyUses
from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.limits.throttle import Throttle
from inference_core.auth.passwords.hashing import Passwords
from inference_core.auth.settings import AuthSettings
from inference_core.auth.telemetry import AuthMetrics
from inference_core.auth.tokens.access_tokens import AccessTokens
from inference_core.auth.tokens.sessions import RefreshSessions
from inference_core.core.db.engine import Database
from inference_core.core.rate_limit import RateLimiter
from inference_core.core.redis.clock import Clock
from inference_core.core.state import AppState

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
    key_uses: KeyUses
    rates: RateLimiter

    @classmethod
    @contextmanager
    def open(
        cls, settings: AuthSettings, redis: Redis, database: Database, metrics: AuthMetrics
    ) -> Iterator[AuthState]:
        """Create the state. The hashing threads stop with the context."""
        passwords = Passwords(settings, metrics.hash_wait.observe)
        try:
            yield cls(
                passwords=passwords,
                tokens=AccessTokens(settings),
                sessions=RefreshSessions(redis, settings),
                throttle=Throttle(redis, settings),
                clock=Clock(redis, SessionStoreUnavailableError),
                key_uses=KeyUses(database),
                rates=RateLimiter(redis),
            )
        finally:
            passwords.close()


@asynccontextmanager
async def open_accounts(state: AppState) -> AsyncIterator[AuthState]:
    """Open the state of accounts in an application, and create the first superuser."""
    settings = state.settings.of(AuthSettings)
    metrics = state.metrics.feature(AuthMetrics)
    with AuthState.open(settings, state.redis.client, state.database, metrics) as accounts:
        async with (
            creating_first_superuser(settings, accounts.passwords, state.database),
            accounts.key_uses.storing(),
        ):
            yield accounts
