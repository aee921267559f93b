"""The requests and responses of the routes of notes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from shop.notes.models import TITLE_LENGTH

# PostgreSQL cannot store NUL.
WITHOUT_NUL = r"^[^\x00]*$"
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_LENGTH, pattern=WITHOUT_NUL)
]
# In UTF-8 at most 40 kB, which fits into a TEXT column of MySQL.
LongText = Annotated[str, StringConstraints(max_length=10_000, pattern=WITHOUT_NUL)]


class NoteCreate(BaseModel):
    """A new note."""

    title: Title
    text: LongText = ""


class NoteUpdate(BaseModel):
    """The fields to change. At least one is needed."""

    title: Title | None = None
    text: LongText | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.title is None and self.text is None:
            raise ValueError("title or text is needed")
        return self


class NoteRead(BaseModel):
    """A stored note."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    text: str
    created_at: datetime
    updated_at: datetime


class NotePage(BaseModel):
    """A page of the caller's notes, the newest first, and the number of all of them."""

    items: list[NoteRead]
    total: int
    offset: int
    limit: int


class NoteDeleted(BaseModel):
    """The id of a deleted note."""

    id: UUID


class NoteWordCountSubmitted(BaseModel):
    """A task that counts words. Its result is at `/tasks/{task_id}/result`."""

    task_id: str
