"""The errors of notes."""

from __future__ import annotations

from inference_core.core.exceptions import ConflictError, NotFoundError


class NoteNotFoundError(NotFoundError):
    """Raised if there is no such note, or it belongs to another user."""

    code = "note_not_found"
    detail = "There is no such note."


class TooManyNotesError(ConflictError):
    """Raised if a user already has `NOTES_PER_USER` notes."""

    code = "too_many_notes"
    detail = "You have the largest number of notes. Delete one first."
