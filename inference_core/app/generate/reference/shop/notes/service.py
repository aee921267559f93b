"""What users do with notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from inference_core.core.db.engine import Database
from shop.notes.errors import NoteNotFoundError, TooManyNotesError
from shop.notes.models import Note
from shop.notes.repository import NoteRepository
from shop.notes.settings import NotesSettings

COUNT_WORDS = "notes.count_words"


@dataclass(frozen=True, slots=True)
class NoteService:
    """The notes of one user, in the session of one request."""

    settings: NotesSettings
    stored: NoteRepository

    async def create(self, title: str, text: str) -> Note:
        """Store a new note.

        Two requests at once can both pass the limit, so it is a protection and not an exact number.

        Raises:
            TooManyNotesError: The user has reached the limit.
        """
        if await self.stored.count() >= self.settings.notes_per_user:
            raise TooManyNotesError
        return await self.stored.add(title, text)

    async def page(self, offset: int, limit: int) -> tuple[Sequence[Note], int]:
        """Return a page, and the number of all."""
        return await self.stored.page(offset, limit), await self.stored.count()

    async def read(self, note_id: UUID) -> Note:
        """Return one note.

        Raises:
            NoteNotFoundError: There is none, or it belongs to another user.
        """
        found = await self.stored.find(note_id)
        if found is None:
            raise NoteNotFoundError
        return found

    async def change(self, note_id: UUID, title: str | None, text: str | None) -> Note:
        """Change the fields that are not None.

        Raises:
            NoteNotFoundError: There is none, or it belongs to another user.
        """
        found = await self.read(note_id)
        await self.stored.change(found, title, text)
        return found

    async def delete(self, note_id: UUID) -> None:
        """Delete one note.

        Raises:
            NoteNotFoundError: There is none, or it belongs to another user.
        """
        if not await self.stored.delete(note_id):
            raise NoteNotFoundError


async def count_words(settings: NotesSettings, owner_id: UUID) -> int:
    """Return the number of words in all notes of a user. For tasks, which have no session.

    Raises:
        DatabaseUnavailableError: The database does not respond in time.
    """
    async with Database.open(settings) as database, database.read() as session:
        return sum([len(text.split()) async for text in NoteRepository(session, owner_id).texts()])
