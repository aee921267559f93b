"""Actions after the commit of a session, such as sending a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

AfterCommit = Callable[[], Awaitable[object]]
_KEY = "after_commit"


def after_commit(session: AsyncSession, action: AfterCommit) -> None:
    """Run `action` after this session has committed and before the response is sent. It does not run after a rollback.

    The commit stands even if `action` fails. An exception of it becomes the error of the request, so an action that
    must not hide the commit handles its own errors.
    """
    session.info.setdefault(_KEY, []).append(action)


async def run_after_commit(session: AsyncSession) -> None:
    """Run the collected actions in order."""
    actions: list[AfterCommit] = session.info.pop(_KEY, [])
    for action in actions:
        await action()
