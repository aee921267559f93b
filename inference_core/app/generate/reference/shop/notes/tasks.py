"""The tasks of notes. Only workers import this module."""

from __future__ import annotations

import asyncio
from uuid import UUID

from celery import shared_task

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.queue.base_task import ServiceTask
from shop.notes.service import COUNT_WORDS, count_words
from shop.notes.settings import NotesSettings


@shared_task(  # type: ignore[untyped-decorator]  # Celery ships no types
    name=COUNT_WORDS, bind=True, base=ServiceTask, autoretry_for=(DependencyUnavailableError,)
)
def count(self: ServiceTask, owner_id: str) -> dict[str, int]:
    """Count the words in all notes of a user: `{words}`.

    It only reads, so a task that is delivered twice changes nothing.
    """
    settings = self.app.settings.of(NotesSettings)
    return {"words": asyncio.run(count_words(settings, UUID(owner_id)))}
