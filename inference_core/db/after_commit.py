"""What is to happen once a session has committed, such as sending a background job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

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
