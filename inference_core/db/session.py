"""The sessions of a request: `SessionDep` writes, `ReadSessionDep` reads; both end before the answer leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.db.engine import ReadSession
from inference_core.state import StateDep

AfterCommit = Callable[[], Awaitable[object]]
_KEY = "after_commit"


def after_commit(session: AsyncSession, action: AfterCommit) -> None:
    """Run `action` once this session has committed, before the answer leaves; never if it rolls back.

    The commit stands whatever `action` does: an exception of it becomes the request's error, so an action whose
    failure must not hide what was committed handles it itself.
    """
    session.info.setdefault(_KEY, []).append(action)


async def run_after_commit(session: AsyncSession) -> None:
    """Run, in order, what `after_commit` collected."""
    actions: list[AfterCommit] = session.info.pop(_KEY, [])
    for action in actions:
        await action()


async def get_session(state: StateDep) -> AsyncIterator[AsyncSession]:
    """A session that commits when the route has returned, and rolls back if it raised."""
    async with state.database.write() as session:
        yield session
    await run_after_commit(session)


async def get_read_session(state: StateDep) -> AsyncIterator[ReadSession]:
    """A session that only reads."""
    async with state.database.read() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ReadSessionDep = Annotated[ReadSession, Depends(get_read_session, scope="function")]
