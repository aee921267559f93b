"""The tasks that ask a model. A task that is delivered again gives the answer it gave, and takes nothing more."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from celery import shared_task

from inference_core.celery.base_task import ServiceTask, TaskFailedError
from inference_core.db.base import utc_now
from inference_core.db.engine import Database
from inference_core.exceptions import DependencyUnavailableError
from inference_core.llm.errors import LLMError, ProviderRateLimitedError
from inference_core.llm.gateway import Gateway
from inference_core.llm.jobs import TASK_NAMES, Job, Private
from inference_core.llm.ledger import Answered, record
from inference_core.llm.limits import Lease, UserLimits
from inference_core.llm.prompts import build_messages
from inference_core.llm.repository import ConversationRepository, UsageRepository
from inference_core.llm.types import ChatRequest, Completion, Usage
from inference_core.redis.client import RedisClient
from inference_core.settings import Settings

log = structlog.get_logger(__name__)

# A provider that wants to be left alone for longer than this makes the task fail.
LONGEST_RETRY_AFTER_S = 60
OPTIONS: dict[str, Any] = {"bind": True, "base": ServiceTask}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task gives."""

    text: str
    model: str
    simulated: bool
    usage: Usage
    at: datetime


@shared_task(name=TASK_NAMES["explain"], **OPTIONS)  # type: ignore[untyped-decorator]  # Celery ships no types
def explain(self: ServiceTask, data: dict[str, Any]) -> Private:
    """`{result: {answer}, metadata}`."""
    job = Job.from_json(data)
    outcome = _run(self, job)
    return Private({"result": {"answer": outcome.text}, "metadata": _metadata(outcome)})


@shared_task(name=TASK_NAMES["conversation"], **OPTIONS)  # type: ignore[untyped-decorator]
def conversation(self: ServiceTask, data: dict[str, Any]) -> Private:
    """`{result: {reply, session_id}, metadata}`."""
    job = Job.from_json(data)
    outcome = _run(self, job)
    session_id = str(job.session.id) if job.session else None
    return Private({"result": {"reply": outcome.text, "session_id": session_id}, "metadata": _metadata(outcome)})


def _metadata(outcome: Outcome) -> dict[str, Any]:
    return {
        "model_name": outcome.model,
        "timestamp": outcome.at.isoformat(),
        "usage": {
            "input_tokens": outcome.usage.input_tokens,
            "output_tokens": outcome.usage.output_tokens,
            "total_tokens": outcome.usage.total_tokens,
        },
        "simulated": outcome.simulated,
    }


def _run(task: ServiceTask, job: Job) -> Outcome:
    """Answer; a full provider or an absent database is tried again later, any other failure is the task's result."""
    task_id = str(task.request.id)
    try:
        return asyncio.run(answer(task.app.settings, job, task_id))
    except ProviderRateLimitedError as error:
        wait_s = error.retry_after_s or 1
        if wait_s > LONGEST_RETRY_AFTER_S or task.request.retries >= task.max_retries:
            raise _failed(task, job, error) from None
        raise task.retry(countdown=wait_s) from None
    except LLMError as error:
        raise _failed(task, job, error) from None
    except DependencyUnavailableError as error:
        if task.request.retries >= task.max_retries:
            raise _failed(task, job, error) from None
        raise task.retry(countdown=2 ** (task.request.retries + 1)) from None


def _failed(task: ServiceTask, job: Job, error: LLMError | DependencyUnavailableError) -> TaskFailedError:
    """Count the failure and put it into words for the submitter."""
    log.warning("llm_task_failed", code=error.code, task_id=task.request.id, llm_request_id=job.request_id)
    asyncio.run(_count_failure(task.app.settings, job, str(task.request.id)))
    return TaskFailedError(error.detail)


async def _count_failure(settings: Settings, job: Job, task_id: str) -> None:
    async with Gateway.open(settings) as gateway, RedisClient.open(settings) as redis:
        limits = UserLimits(redis.client, gateway.config.settings.limits)
        await limits.settle(Lease(task_id, job.key), tokens=0, failed=True)


async def answer(settings: Settings, job: Job, task_id: str) -> Outcome:
    """Ask the model, store and count the answer; or give the answer that this very task gave before.

    Raises:
        LLMError: there is no answer.
        DatabaseUnavailableError: nothing can be read, or what was answered cannot be stored.
    """
    async with (
        Database.open(settings) as database,
        RedisClient.open(settings) as redis,
        Gateway.open(settings) as gateway,
    ):
        limits, lease = UserLimits(redis.client, gateway.config.settings.limits), Lease(task_id, job.key)
        if known := await _given_before(database, task_id):
            # Its worker may have died before it gave the lease back.
            await limits.release(lease)
            return known
        started_s = time.monotonic()
        completion = await gateway.complete(job.task, await _request(settings, database, job), job.model_name)
        is_new = await record(database, _answered(gateway, job, task_id, completion))
        if not is_new and (known := await _given_before(database, task_id)):
            await limits.release(lease)
            return known
        task_ms = max(1, round((time.monotonic() - started_s) * 1000))
        tokens = completion.usage.total_tokens
        await limits.settle(lease, tokens=tokens, failed=False, task_ms=task_ms)
        return Outcome(completion.content, completion.model, completion.simulated, completion.usage, utc_now())


async def _given_before(database: Database, task_id: str) -> Outcome | None:
    async with database.read() as session:
        found = await UsageRepository(session).answer_of(task_id)
    if found is None:
        return None
    charge, text = found
    usage = Usage(charge.input_tokens, charge.output_tokens)
    return Outcome(text, charge.model, charge.simulated, usage, charge.created_at)


async def _request(settings: Settings, database: Database, job: Job) -> ChatRequest:
    history = []
    if job.session is not None and not job.session.is_new:
        async with database.read() as session:
            history = await ConversationRepository(session).recent(job.session.id, settings.llm_history_turns)
    messages = build_messages(job.task, history, job.question, settings.llm_history_characters)
    return ChatRequest(messages, job.params, job.request_id, job.timeout_s, job.fault)


def _answered(gateway: Gateway, job: Job, task_id: str, completion: Completion) -> Answered:
    return Answered(
        charge_id=task_id,
        user_id=job.user_id,
        question=job.question,
        session=job.session,
        text=completion.content,
        complete=True,
        model=completion.model,
        provider=completion.provider,
        simulated=completion.simulated,
        usage=completion.usage,
        price=gateway.price_of(completion.model, simulated=completion.simulated),
        keep_answer=True,
    )
