"""Stored conversations and turns, as values without a database session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from inference_core.llm.models import TurnRole


@dataclass(frozen=True, slots=True)
class ConversationRef:
    """The conversation of a request. `is_new` is true until its first turns are stored."""

    id: UUID
    is_new: bool


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation."""

    id: UUID
    user_id: UUID | None
    title: str
    turn_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn."""

    role: TurnRole
    content: str
    complete: bool
    model: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn to store."""

    role: TurnRole
    content: str
    complete: bool = True
    model: str | None = None
