"""Answer a task: call the model, and store and charge the answer. All resources are released in any case.

The process of a worker can be killed at any time. The prompt therefore has its own charge before it is sent, which the
charge of the answer replaces.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database
from inference_core.core.exceptions import ServiceError
from inference_core.core.loggers import get_logger
from inference_core.core.redis.client import RedisClient
from inference_core.llm.accounting.ledger import Answered, AnswerNotStoredError, prompt_alone, record, tokens_of
from inference_core.llm.accounting.limits import LEASE_MARGIN_S, Lease, UserLimits
from inference_core.llm.accounting.repository import UsageRepository
from inference_core.llm.conversations.prompts import build_messages
from inference_core.llm.conversations.repository import ConversationRepository
from inference_core.llm.gateway.candidates import Candidate
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.settings import LLMSettings
from inference_core.llm.tokens import conservative_prompt_tokens
from inference_core.llm.types import ChatRequest, Completion, Usage
from inference_core.llm.worker.job import Job

log = get_logger(__name__)

SETTLE_TRIES = 5
SETTLE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a task. `stored` is false if the database refused its text."""

    text: str
    model: str
    simulated: bool
    usage: Usage
    at: datetime
    stored: bool = True


@dataclass(slots=True)
class Answering:
    """One delivery of a task to a worker.

    `will_retry` returns whether the task is retried after an error. It then keeps its lease.
    """

    settings: LLMSettings
    job: Job
    task_id: str
    will_retry: Callable[[BaseException], bool]
    database: Database
    gateway: Gateway
    limits: UserLimits
    lease: Lease
    prompt_tokens: int = 0
    sent_to: list[Candidate] = field(default_factory=list)
    prompt_charge: Answered | None = None
    answered: list[Answered] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: LLMSettings, job: Job, task_id: str, will_retry: Callable[[BaseException], bool]
    ) -> AsyncIterator[Answering]:
        """Connect to the dependencies. At the end, updates that Redis has not accepted are retried a few times."""
        async with (
            Database.open(settings) as database,
            RedisClient.open(settings) as redis,
            Gateway.open(settings) as gateway,
        ):
            limits = UserLimits(redis.client, gateway.config.settings.limits)
            lease = Lease(task_id, job.key)
            try:
                yield cls(settings, job, task_id, will_retry, database, gateway, limits, lease)
            finally:
                for _ in range(SETTLE_TRIES):
                    if await limits.settle_again():
                        break
                    await asyncio.sleep(SETTLE_PAUSE_S)

    async def run(self) -> Outcome:
        """Answer the task, or return the answer that an earlier delivery stored.

        Raises:
            LLMError: There is no answer.
            DatabaseUnavailableError: The database does not respond, so the answer cannot be read or stored.
        """
        try:
            if known := await self._stored_outcome():
                # Its worker may have crashed before it released the lease.
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
        await self._charge_prompt(request)
        completion = await self.gateway.complete(job.task, request, job.model_name, self.sent_to)
        self.answered = [*self._prompts(self.sent_to[:-1]), self._answered(completion)]
        stored = await self._store()
        if not stored and (known := await self._stored_outcome()):
            # Another delivery was faster. The prompt of this one remains charged.
            await self.limits.release(self.lease)
            return known
        task_ms = max(1, round((time.monotonic() - started_s) * 1000))
        await self.limits.settle(self.lease, tokens=tokens_of(self.answered), failed=False, task_ms=task_ms)
        return Outcome(
            completion.content, completion.model, completion.simulated, completion.usage, utc_now(), stored=stored
        )

    async def _store(self) -> bool:
        """Return whether this delivery has stored the answer with its text."""
        try:
            return await record(self.database, self.answered, in_place_of=self.prompt_charge)
        except AnswerNotStoredError:
            return False

    async def _charge_prompt(self, request: ChatRequest) -> None:
        """Charge the prompt to the first candidate."""
        first = self.gateway.candidates(self.job.task, self.job.model_name, request.params)[0]
        self.prompt_tokens = conservative_prompt_tokens(request.messages)
        lease_s = self.settings.celery_task_time_limit_s + LEASE_MARGIN_S
        self.lease = await self.limits.count_prompt(self.lease, self.prompt_tokens, lease_s)
        (prompt_charge,) = self._prompts([first])
        await record(self.database, [prompt_charge])
        self.prompt_charge = prompt_charge

    async def _account_for(self, error: BaseException) -> None:
        """Charge the prompts without an answer, and release the lease unless the task is retried."""
        spent = self.answered or self._prompts(self.sent_to)
        tokens = tokens_of(spent)
        if self.will_retry(error):
            lease_s = self.settings.celery_task_time_limit_s + LEASE_MARGIN_S
            await self.limits.count_prompt(self.lease, tokens - self.lease.counted, lease_s)
        else:
            await self.limits.settle(self.lease, tokens=tokens, failed=True)
        try:
            await record(self.database, spent, in_place_of=self.prompt_charge)
        except ServiceError:
            # The charge that was stored before the prompt was sent remains.
            log.warning("llm_prompts_not_stored", task_id=self.task_id, prompts=len(spent))

    def _prompts(self, candidates: list[Candidate]) -> list[Answered]:
        return [prompt_alone(self.job.user_id, candidate, self.prompt_tokens, self.gateway) for candidate in candidates]

    async def _stored_outcome(self) -> Outcome | None:
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


async def answer(
    settings: LLMSettings, job: Job, task_id: str, will_retry: Callable[[BaseException], bool] = lambda _: False
) -> Outcome:
    """Answer a task. Raises the errors of `Answering.run`."""
    async with Answering.open(settings, job, task_id, will_retry) as answering:
        return await answering.run()
