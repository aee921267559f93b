"""Count the rows that a statement changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import Delete, Update


async def changed_rows(
    session: AsyncSession, statement: Update | Delete, values: Mapping[str, Any] | None = None
) -> int:
    """Execute an UPDATE or a DELETE and return the number of rows."""
    return cast("CursorResult[Any]", await session.execute(statement, values)).rowcount
