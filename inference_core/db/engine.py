"""The process's database engine: one pool, with bounded waits, for SQLite, PostgreSQL or MySQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from inference_core.settings import Settings


@dataclass(frozen=True, slots=True)
class Database:
    """The engine of one process."""

    engine: AsyncEngine

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Database]:
        """Make the engine (which connects on first use) and dispose of it at the end."""
        engine = create_async_engine(settings.database_url)
        try:
            yield cls(engine)
        finally:
            await engine.dispose()
