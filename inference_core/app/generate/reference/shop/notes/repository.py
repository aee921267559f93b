"""The queries on notes. Callers control the transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.core.db.rows import changed_rows
from shop.notes.models import Note

# Rows that are read at once, so that the memory of a task does not grow with the number of rows.
BATCH = 100


class NoteRepository:
    """The notes of one owner, in one database session."""

    def __init__(self, session: AsyncSession, owner_id: UUID) -> None:
        self._session = session
        self._owner_id = owner_id

    async def add(self, title: str, text: str) -> Note:
        """Store a new note."""
        row = Note(owner_id=self._owner_id, title=title, text=text)
        self._session.add(row)
        await self._session.flush()
        return row

    async def find(self, note_id: UUID) -> Note | None:
        """Return the note with this id. None if the owner has none."""
        found: Note | None = await self._session.scalar(
            select(Note).where(Note.id == note_id, Note.owner_id == self._owner_id)
        )
        return found

    async def count(self) -> int:
        """Return the number of the owner's rows."""
        counted = select(func.count()).select_from(Note).where(Note.owner_id == self._owner_id)
        return await self._session.scalar(counted) or 0

    async def page(self, offset: int, limit: int) -> Sequence[Note]:
        """Return a page of rows, the newest first."""
        statement = (
            select(Note)
            .where(Note.owner_id == self._owner_id)
            .order_by(Note.created_at.desc(), Note.id.desc())
            .offset(offset)
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()

    async def change(self, row: Note, title: str | None, text: str | None) -> None:
        """Change the fields that are not None."""
        row.title = row.title if title is None else title
        row.text = row.text if text is None else text
        await self._session.flush()

    async def delete(self, note_id: UUID) -> bool:
        """Delete the note with this id. Return whether there was one."""
        statement = delete(Note).where(Note.id == note_id, Note.owner_id == self._owner_id)
        return await changed_rows(self._session, statement) > 0

    async def texts(self) -> AsyncIterator[str]:
        """Return the text of each row, in batches by their keys."""
        last: UUID | None = None
        while True:
            statement = select(Note.id, Note.text).where(Note.owner_id == self._owner_id).order_by(Note.id)
            after = statement if last is None else statement.where(Note.id > last)
            rows = (await self._session.execute(after.limit(BATCH))).all()
            for row in rows:
                yield row.text
            if len(rows) < BATCH:
                return
            last = rows[-1].id
