"""The dependencies of the routes of notes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from inference_core.auth.dependencies import CurrentUser
from inference_core.core.dependencies import ReadSessionDep, SessionDep
from inference_core.core.state import SettingsDep
from shop.notes.repository import NoteRepository
from shop.notes.service import NoteService
from shop.notes.settings import NotesSettings


async def get_notes(user: CurrentUser, session: SessionDep, settings: SettingsDep) -> NoteService:
    """Return the notes of the caller, for routes that change some."""
    return NoteService(settings.of(NotesSettings), NoteRepository(session, user.account.id))


async def get_read_only_notes(user: CurrentUser, session: ReadSessionDep, settings: SettingsDep) -> NoteService:
    """Return the notes of the caller, for routes that only read."""
    return NoteService(settings.of(NotesSettings), NoteRepository(session, user.account.id))


NotesDep = Annotated[NoteService, Depends(get_notes)]
ReadOnlyNotesDep = Annotated[NoteService, Depends(get_read_only_notes)]
