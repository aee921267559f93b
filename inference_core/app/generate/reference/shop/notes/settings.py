"""The settings of notes."""

from __future__ import annotations

from pydantic import Field

from inference_core.core.settings import Settings


class NotesSettings(Settings):
    """The limits of notes."""

    notes_per_user: int = Field(default=1000, ge=1, le=100_000, description="Notes that one user can have.")
