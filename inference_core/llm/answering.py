"""Answers one task: asks the model, stores and counts the answer, and leaves nothing held however it ends.

A worker's process may be killed at any moment, so what is sent counts before it is sent: the prompt has a charge of its
own, which the answer's replaces.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from inference_core.db.base import utc_now
from inference_core.db.engine import Database
from inference_core.exceptions import ServiceError
from inference_core.llm.candidates import Candidate
from inference_core.llm.gateway import Gateway
from inference_core.llm.jobs import Job
from inference_core.llm.ledger import Answered, AnswerNotStoredError, prompt_alone, record
from inference_core.llm.limits import Lease, UserLimits
from inference_core.llm.prompts import build_messages
from inference_core.llm.repository import ConversationRepository, UsageRepository
from inference_core.llm.types import ChatRequest, Completion, Usage
from inference_core.llm.usage import estimate_prompt
from inference_core.loggers import get_logger
from inference_core.redis.client import RedisClient
from inference_core.settings import Settings

log = get_logger(__name__)

# Beyond a task's time limit, for what comes after it.
LEASE_MARGIN_S = 60.0
SETTLE_TRIES = 5
SETTLE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task gives; not `stored` if the database refused its text."""

    text: str
    model: str
    simulated: bool
    usage: Usage
    at: datetime
    stored: bool = True


@dataclass(slots=True)
class Answering:
    """One delivery of a task to a worker.

    `comes_back` says of an error whether the task will be tried again, and keeps its lease.
    """

    settings: Settings
    job: Job
    task_id: str
    comes_back: Callable[[BaseException], bool]
    database: Database
    gateway: Gateway
    limits: UserLimits
    lease: Lease
    prompt_tokens: int = 0
    sent_to: list[Candidate] = field(default_factory=list)
    noted: Answered | None = None
    answered: list[Answered] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, job: Job, task_id: str, comes_back: Callable[[BaseException], bool]
    ) -> AsyncIterator[Answering]:
        """Connect to what is needed; what Redis has not taken by the end is tried some more times."""
        async with (
            Database.open(settings) as database,
            RedisClient.open(settings) as redis,
            Gateway.open(settings) as gateway,
        ):
            limits = UserLimits(redis.client, gateway.config.settings.limits)
            lease = Lease(task_id, job.key)
            try:
                yield cls(settings, job, task_id, comes_back, database, gateway, limits, lease)
            finally:
                for _ in range(SETTLE_TRIES):
                    if await limits.settle_again():
                        break
                    await asyncio.sleep(SETTLE_PAUSE_S)

    async def run(self) -> Outcome:
        """Answer; or give the answer that this very task gave before.

        Raises:
            LLMError: there is no answer.
            DatabaseUnavailableError: nothing can be read, or what was answered cannot be stored.
        """
        try:
            if known := await self._given_before():
                # Its worker may have died before it gave the lease back.
                await self.limits.release(self.lease)
                return known
            return await self._ask()
        except BaseException as error:
            await self._account_for(error)
            raise

    async def _ask(self) -> Outcome:
        job = self.job
        started_s = time.monotonic()
        request = await self._request()
        await self._note_prompt(request)
        completion = await self.gateway.complete(job.task, request, job.model_name, self.sent_to)
        self.answered = [*self._prompts(self.sent_to[:-1]), self._answered(completion)]
        stored = await self._store()
        if not stored and (known := await self._given_before()):
            # Another delivery was quicker; the prompt of this one stays counted.
            await self.limits.release(self.lease)
            return known
        task_ms = max(1, round((time.monotonic() - started_s) * 1000))
        await self.limits.settle(self.lease, tokens=tokens_of(self.answered), failed=False, task_ms=task_ms)
        return Outcome(
            completion.content, completion.model, completion.simulated, completion.usage, utc_now(), stored=stored
        )

    async def _store(self) -> bool:
        """Whether the answer was stored now, and not before by another delivery, and not without its text."""
        try:
            return await record(self.database, self.answered, in_place_of=self.noted)
        except AnswerNotStoredError:
            return False

    async def _note_prompt(self, request: ChatRequest) -> None:
        """Count the prompt as sent, to whom is asked first."""
        first = self.gateway.candidates(self.job.task, self.job.model_name, request.params)[0]
        self.prompt_tokens = estimate_prompt(request.messages)
        lease_s = self.settings.celery_task_time_limit_s + LEASE_MARGIN_S
        self.lease = await self.limits.count_prompt(self.lease, self.prompt_tokens, lease_s)
        (noted,) = self._prompts([first])
        await record(self.database, [noted])
        self.noted = noted

    async def _account_for(self, error: BaseException) -> None:
        """Count what was sent for nothing, and give the lease back unless the task comes back."""
        spent = self.answered or self._prompts(self.sent_to)
        tokens = tokens_of(spent)
        if self.comes_back(error):
            lease_s = self.settings.celery_task_time_limit_s + LEASE_MARGIN_S
            await self.limits.count_prompt(self.lease, tokens - self.lease.counted, lease_s)
        else:
            await self.limits.settle(self.lease, tokens=tokens, failed=True)
        try:
            await record(self.database, spent, in_place_of=self.noted)
        except ServiceError:
            # What was noted before the prompt was sent stands for it.
            log.warning("llm_prompts_not_stored", task_id=self.task_id, prompts=len(spent))

    def _prompts(self, candidates: list[Candidate]) -> list[Answered]:
        return [prompt_alone(self.job.user_id, candidate, self.prompt_tokens, self.gateway) for candidate in candidates]

    async def _given_before(self) -> Outcome | None:
        async with self.database.read() as session:
            found = await UsageRepository(session).answer_of(self.task_id)
        if found is None:
            return None
        charge, text = found
        usage = Usage(charge.input_tokens, charge.output_tokens, charge.estimated)
        return Outcome(text, charge.model, charge.simulated, usage, charge.created_at)

    async def _request(self) -> ChatRequest:
        job, settings = self.job, self.settings
        history = []
        if job.session is not None and not job.session.is_new:
            async with self.database.read() as session:
                history = await ConversationRepository(session).recent(job.session.id, settings.llm_history_turns)
        messages = build_messages(job.task, history, job.question, settings.llm_history_characters)
        return ChatRequest(messages, job.params, job.request_id, job.timeout_s, job.fault)

    def _answered(self, completion: Completion) -> Answered:
        return Answered(
            charge_id=self.task_id,
            user_id=self.job.user_id,
            question=self.job.question,
            session=self.job.session,
            text=completion.content,
            complete=True,
            model=completion.model,
            provider=completion.provider,
            simulated=completion.simulated,
            usage=completion.usage,
            price=self.gateway.price_of(completion.model, simulated=completion.simulated),
            keep_answer=True,
        )


def tokens_of(answered: list[Answered]) -> int:
    """What all of them took."""
    return sum(one.usage.total_tokens for one in answered)


async def answer(
    settings: Settings, job: Job, task_id: str, comes_back: Callable[[BaseException], bool] = lambda _: False
) -> Outcome:
    """Answer one task; the errors are those of `Answering.run`."""
    async with Answering.open(settings, job, task_id, comes_back) as answering:
        return await answering.run()
