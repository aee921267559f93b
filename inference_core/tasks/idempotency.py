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

KEEP_S = 24 * 3600
# Longer than any submission takes. Afterwards, the process that started it must have crashed.
ABANDONED_AFTER_MS = 10_000

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="Makes the request safe to repeat."),
]

# KEYS[1] the key's hash; ARGV[1] fingerprint, ARGV[2] id for a new task, ARGV[3] seconds to keep it,
# ARGV[4] milliseconds after which an unfinished submission counts as abandoned.
RESERVE_SCRIPT = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'fingerprint', 'task_id', 'sent', 'at_ms')
if not known[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'task_id', ARGV[2], 'at_ms', string.format('%.0f', now_ms))
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  return {'new', ARGV[2]}
end
if known[1] ~= ARGV[1] then return {'other', ''} end
if known[3] then return {'sent', known[2]} end
if now_ms - tonumber(known[4]) < tonumber(ARGV[4]) then return {'busy', ''} end
redis.call('HSET', KEYS[1], 'at_ms', string.format('%.0f', now_ms))
return {'again', known[2]}
"""


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
    """The task a key stands for.

    Attributes:
        is_sent: whether nothing is left to be done.
        is_first: whether the key was not known before, so that no message can have been sent for it.
    """

    redis_key: str
    task_id: str
    is_sent: bool
    is_first: bool


def fingerprint(*parts: Any) -> str:
    """Return a digest of a request's JSON values. It does not depend on the order of the names in objects."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def reserve(redis: Redis, caller: str, key: str, request_fingerprint: str) -> Reservation:
    """Claim `key` of `caller` for this request.

    Raises:
        SubmissionInProgressError: if another request with the key has not been answered yet.
        KeyReusedError: if the key came with another request.
        RedisError: if Redis does not respond.
    """
    redis_key = f"idempotency:{hashlib.sha256(json.dumps([caller, key]).encode()).hexdigest()}"
    arguments = (request_fingerprint, str(uuid4()), KEEP_S, ABANDONED_AFTER_MS)
    answer: Any = await redis.eval(RESERVE_SCRIPT, 1, redis_key, *arguments)
    outcome, task_id = (part.decode() for part in answer)
    if outcome == "busy":
        raise SubmissionInProgressError
    if outcome == "other":
        raise KeyReusedError
    return Reservation(redis_key, task_id, is_sent=outcome == "sent", is_first=outcome == "new")


async def mark_sent(redis: Redis, reservation: Reservation) -> None:
    """Record that the task was sent. Later requests with the key get the same task."""
    await redis.hset(reservation.redis_key, "sent", "1")


async def forget(redis: Redis, reservation: Reservation) -> None:
    """Release the key of a request that was refused before anything was sent."""
    await redis.delete(reservation.redis_key)


async def mark_retryable(redis: Redis, reservation: Reservation) -> None:
    """Record that the submission failed. The next request with the key tries again with the same task id."""
    await redis.hset(reservation.redis_key, "at_ms", "0")
