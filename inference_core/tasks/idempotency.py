"""`Idempotency-Key`: one submission for each key, for any number of requests.

A key belongs to its caller. It is stored for a day with a fingerprint of the request and the id of the task. A refused
request releases its key. The id is chosen before the task is sent, so a retry after a crash sends the same task again,
and workers run it once.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Header
from redis.asyncio import Redis

from inference_core.core.exceptions import ConflictError, UnprocessableError
from inference_core.core.redis.errors import redis_errors_as
from inference_core.core.redis.scripts import LuaScript
from inference_core.tasks.store import ResultStoreUnavailableError

KEEP_S = 24 * 3600
# Longer than any submission takes. Afterwards, the process that started it must have crashed.
ABANDONED_AFTER_MS = 10_000

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="Makes the request safe to repeat."),
]


class SubmissionInProgressError(ConflictError):
    """Raised while a request with this Idempotency-Key is being served. Retry after `retry_after_s` seconds."""

    code = "idempotency_key_in_use"
    detail = "A request with this Idempotency-Key is being served. Try again shortly."
    retry_after_s = 1


class KeyReusedError(UnprocessableError):
    """Raised if this Idempotency-Key was used for a different request."""

    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used for a different request."


@dataclass(frozen=True, slots=True)
class Reservation:
    """The task of a key.

    Attributes:
        is_sent: Whether the task was sent.
        is_first: Whether the key was unknown before, so no message can have been sent for it.
    """

    redis_key: str
    task_id: str
    is_sent: bool
    is_first: bool


def fingerprint(*parts: Any) -> str:
    """Return a digest of a request's JSON values. It does not depend on the order of the names in objects."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class IdempotencyKeys:
    """The keys in the result store. Every call can raise `ResultStoreUnavailableError`."""

    redis: Redis

    async def reserve(self, caller: str, key: str, request_fingerprint: str) -> Reservation:
        """Reserve `key` of `caller` for this request.

        Raises:
            SubmissionInProgressError: Another request with this key is being served.
            KeyReusedError: The key was used for a different request.
        """
        redis_key = f"idempotency:{hashlib.sha256(json.dumps([caller, key]).encode()).hexdigest()}"
        reserve = LuaScript(self.redis, "inference_core.tasks", "reserve_key", ResultStoreUnavailableError)
        answer = await reserve([redis_key], request_fingerprint, str(uuid4()), KEEP_S, ABANDONED_AFTER_MS)
        outcome, task_id = (part.decode() for part in answer)
        if outcome == "busy":
            raise SubmissionInProgressError
        if outcome == "other":
            raise KeyReusedError
        return Reservation(redis_key, task_id, is_sent=outcome == "sent", is_first=outcome == "new")

    async def mark_sent(self, reservation: Reservation) -> None:
        """Record that the task was sent. Later requests with the key get the same task."""
        with redis_errors_as(ResultStoreUnavailableError):
            await self.redis.hset(reservation.redis_key, "sent", "1")

    async def withdraw(self, reservation: Reservation) -> None:
        """Undo the reservation of a refused request, for which nothing was sent.

        If an earlier request may have sent the task, the key keeps its task id.
        """
        if not reservation.is_first:
            await self.mark_retryable(reservation)
            return
        with redis_errors_as(ResultStoreUnavailableError):
            await self.redis.delete(reservation.redis_key)

    async def mark_retryable(self, reservation: Reservation) -> None:
        """Record that the submission failed. The next request with the key tries again with the same task id."""
        with redis_errors_as(ResultStoreUnavailableError):
            await self.redis.hset(reservation.redis_key, "at_ms", "0")
