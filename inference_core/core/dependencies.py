"""The sessions of a request: `SessionDep` writes, `ReadSessionDep` reads. Both end before the response is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.core.db.after_commit import run_after_commit
from inference_core.core.db.engine import ReadSession
from inference_core.core.state import StateDep


async def get_session(state: StateDep) -> AsyncIterator[AsyncSession]:
    """Open a session that commits after the route has returned, or rolls back if it raises."""
    async with state.database.write() as session:
        yield session
    await run_after_commit(session)


async def get_read_session(state: StateDep) -> AsyncIterator[ReadSession]:
    """Open a read-only session."""
    async with state.database.read() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ReadSessionDep = Annotated[ReadSession, Depends(get_read_session, scope="function")]
