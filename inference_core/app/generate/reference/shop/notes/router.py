"""`/api/v1/notes`: the notes of the caller."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from inference_core.auth.dependencies import CurrentUser
from inference_core.auth.rate_limit import RateLimit
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.exceptions import NotAuthenticatedError
from inference_core.core.paths import API_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.queue.sender import BrokerUnavailableError
from inference_core.tasks.router import TaskServiceDep
from inference_core.tasks.store import ResultStoreUnavailableError
from shop.notes.dependencies import NotesDep, ReadOnlyNotesDep
from shop.notes.errors import NoteNotFoundError, TooManyNotesError
from shop.notes.schemas import NoteCreate, NoteDeleted, NotePage, NoteRead, NoteUpdate, NoteWordCountSubmitted
from shop.notes.service import COUNT_WORDS

router = APIRouter(
    prefix=f"{API_PREFIX}/notes",
    tags=["notes"],
    responses=responses_for(NotAuthenticatedError, DatabaseUnavailableError),
)


@router.post("", status_code=HTTPStatus.CREATED, responses=responses_for(TooManyNotesError))
async def create_note(body: NoteCreate, service: NotesDep) -> NoteRead:
    """Store a new note."""
    return NoteRead.model_validate(await service.create(body.title, body.text))


@router.get("")
async def list_notes(
    service: ReadOnlyNotesDep,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> NotePage:
    """List the notes of the caller, the newest first."""
    rows, total = await service.page(offset, limit)
    return NotePage(items=[NoteRead.model_validate(row) for row in rows], total=total, offset=offset, limit=limit)


# Each request is a task that waits in the queue of all users.
@router.post(
    "/word-count",
    dependencies=[Depends(RateLimit("60/minute"))],
    responses=responses_for(BrokerUnavailableError, ResultStoreUnavailableError),
)
async def count_note_words(user: CurrentUser, tasks: TaskServiceDep) -> NoteWordCountSubmitted:
    """Submit a task that counts the words in all notes of the caller."""
    owner = str(user.account.id)
    return NoteWordCountSubmitted(task_id=await tasks.submit(COUNT_WORDS, owner, owner=owner))


@router.get("/{note_id}", responses=responses_for(NoteNotFoundError))
async def read_note(note_id: UUID, service: ReadOnlyNotesDep) -> NoteRead:
    """Return one note of the caller."""
    return NoteRead.model_validate(await service.read(note_id))


@router.patch("/{note_id}", responses=responses_for(NoteNotFoundError))
async def change_note(note_id: UUID, body: NoteUpdate, service: NotesDep) -> NoteRead:
    """Change the given fields of one note."""
    return NoteRead.model_validate(await service.change(note_id, body.title, body.text))


@router.delete("/{note_id}", responses=responses_for(NoteNotFoundError))
async def delete_note(note_id: UUID, service: NotesDep) -> NoteDeleted:
    """Delete one note."""
    await service.delete(note_id)
    return NoteDeleted(id=note_id)
