"""The last uses of API keys. Requests only note them; a background task stores them in batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inference_core.auth.api_keys.repository import ApiKeyRepository
from inference_core.core.background import run_until_cancelled
from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database
from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.loggers import get_logger

log = get_logger(__name__)

STORE_EVERY_S = 5.0
# A stored use is not replaced within this time.
AT_MOST_EVERY = timedelta(minutes=1)
MOST_WAITING = 10_000


@dataclass(slots=True)
class KeyUses:
    """The uses that are not stored yet. If they cannot be stored, they are lost, and no request fails."""

    database: Database
    waiting: dict[str, datetime] = field(default_factory=dict)

    def note(self, key_id: str, stored: datetime | None, now: datetime) -> None:
        """Note a use of a key whose stored last use is `stored`."""
        is_recent = stored is not None and now - stored < AT_MOST_EVERY
        if not is_recent and (key_id in self.waiting or len(self.waiting) < MOST_WAITING):
            self.waiting[key_id] = now

    async def store(self) -> None:
        """Store the uses that wait."""
        if not self.waiting:
            return
        uses, self.waiting = self.waiting, {}
        try:
            async with self.database.write() as session:
                await ApiKeyRepository(session).set_last_used(uses, utc_now() - AT_MOST_EVERY)
        except DependencyUnavailableError:
            log.warning("key_uses_not_stored", keys=len(uses))

    @asynccontextmanager
    async def storing(self) -> AsyncIterator[None]:
        """Store uses in the background during the context, and the remaining ones at its end."""
        async with run_until_cancelled(self.store, every_s=STORE_EVERY_S, name="api-key-uses"):
            yield
        await self.store()
