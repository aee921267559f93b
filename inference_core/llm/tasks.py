"""The tasks that call a model. A task that is delivered again returns its stored answer and charges nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from celery import shared_task

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.loggers import get_logger
from inference_core.core.queue.base_task import ServiceTask, TaskFailedError
from inference_core.llm.errors import LLMError, ProviderRateLimitedError
from inference_core.llm.settings import LLMSettings
from inference_core.llm.worker.answering import Outcome, answer
from inference_core.llm.worker.job import TASK_NAMES, Job, Private

log = get_logger(__name__)

# If a provider requests a longer pause, the task fails.
LONGEST_RETRY_AFTER_S = 60
OPTIONS: dict[str, Any] = {"bind": True, "base": ServiceTask}


@shared_task(name=TASK_NAMES["explain"], **OPTIONS)  # type: ignore[untyped-decorator]  # Celery ships no types
def explain(self: ServiceTask, data: dict[str, Any]) -> Private:
    """Answer a question: `{result: {answer}, metadata}`."""
    job = Job.from_json(data)
    outcome = _run(self, job)
    return Private({"result": {"answer": outcome.text}, "metadata": _metadata(outcome)})


@shared_task(name=TASK_NAMES["conversation"], **OPTIONS)  # type: ignore[untyped-decorator]
def conversation(self: ServiceTask, data: dict[str, Any]) -> Private:
    """Answer a turn: `{result: {reply, session_id}, metadata}`."""
    job = Job.from_json(data)
    outcome = _run(self, job)
    session_id = str(job.session.id) if job.session else None
    return Private({"result": {"reply": outcome.text, "session_id": session_id}, "metadata": _metadata(outcome)})


def _metadata(outcome: Outcome) -> dict[str, Any]:
    return {
        "model_name": outcome.model,
        "timestamp": outcome.at.isoformat(),
        "usage": outcome.usage.as_json(),
        "simulated": outcome.simulated,
        **({} if outcome.stored else {"stored": False}),
    }


def _run(task: ServiceTask, job: Job) -> Outcome:
    """Answer. A rate limit of the provider or an unavailable database causes a retry; other failures end the task."""
    task_id = str(task.request.id)
    settings = task.app.settings.of(LLMSettings)

    def wait_s(error: BaseException) -> float | None:
        return wait_before_retry(error, task.request.retries, task.max_retries)

    try:
        return asyncio.run(answer(settings, job, task_id, lambda error: wait_s(error) is not None))
    except (LLMError, DependencyUnavailableError) as error:
        countdown = wait_s(error)
        if countdown is not None:
            raise task.retry(countdown=countdown) from None
        log.warning("llm_task_failed", code=error.code, task_id=task_id, llm_request_id=job.request_id)
        raise TaskFailedError(error.detail) from None


def wait_before_retry(error: BaseException, retries: int, max_retries: int) -> float | None:
    """Return the seconds until the retry of a task with this failure. None without a retry."""
    if retries >= max_retries:
        return None
    if isinstance(error, ProviderRateLimitedError):
        after_s = error.retry_after_s or 1
        return after_s if after_s <= LONGEST_RETRY_AFTER_S else None
    return 2 ** (retries + 1) if isinstance(error, DependencyUnavailableError) else None
