"""The queries on crates."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from depot.crates.errors import CrateTakenError
from depot.crates.models import Crate


class CrateRepository:
    """The crates, in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, label: str, color: str) -> None:
        """Store a crate."""
        self._session.add(Crate(label=label, color=color))
        try:
            await self._session.flush()
        except IntegrityError:
            raise CrateTakenError from None

    async def labels(self) -> list[str]:
        """Return all labels."""
        return list(await self._session.scalars(select(Crate.label).order_by(Crate.label).limit(100)))
