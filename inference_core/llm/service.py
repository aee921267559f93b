"""Questions to models: checks, submission as tasks, and streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from inference_core.core.db.engine import Database
from inference_core.core.exceptions import InvalidInputError, NotFoundError
from inference_core.core.feature import DEFAULT_QUEUE
from inference_core.llm.accounting.limits import LEASE_MARGIN_S, Lease, Statistics, UserLimits
from inference_core.llm.accounting.spending import Spending
from inference_core.llm.config.policies import EffectivePolicy, effective_policy
from inference_core.llm.conversations.prompts import build_messages
from inference_core.llm.conversations.records import ConversationRef
from inference_core.llm.conversations.service import ConversationService
from inference_core.llm.feature import LLM_QUEUE
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.gateway.health import GatewayHealth, gateway_health
from inference_core.llm.principal import Principal
from inference_core.llm.questions import Prepared, Question
from inference_core.llm.settings import LLMSettings
from inference_core.llm.telemetry import LLMMetrics
from inference_core.llm.tokens import conservative_prompt_tokens
from inference_core.llm.types import Message
from inference_core.llm.worker.job import TASK_NAMES, Job
from inference_core.tasks.idempotency import fingerprint
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.record import TaskRecord
from inference_core.tasks.service import TaskService
from inference_core.tasks.snapshot import Snapshot


class PromptTooLongError(InvalidInputError):
    """Raised if the text is longer than the configuration allows."""

    code = "prompt_too_long"


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submitted task. `estimated_s` is None while the duration of tasks is unknown."""

    task_id: UUID
    estimated_s: float | None


@dataclass(frozen=True, slots=True)
class LLMService:
    """The LLM endpoints of one process."""

    settings: LLMSettings
    database: Database
    gateway: Gateway
    limits: UserLimits
    tasks: TaskService
    workers: WorkerMonitor
    metrics: LLMMetrics

    def models(self) -> dict[str, bool]:
        """Return whether each configured model is available."""
        return self.gateway.availability()

    def health(self) -> GatewayHealth:
        """Return the state of the models."""
        return gateway_health(self.gateway)

    def parameter_rules(self, provider: str, model: str | None) -> EffectivePolicy:
        """Return the rule of each parameter for a provider, or for one of its models. Only with `DEBUG`.

        Raises:
            NotFoundError: `DEBUG` is off.
            UnknownProviderError, UnknownModelError: The configuration has no such provider or model.
        """
        if not self.settings.debug:
            raise NotFoundError
        return effective_policy(self.gateway.config, provider, model)

    async def statistics(self) -> Statistics:
        """Return the request counts of all processes.

        Raises:
            StatisticsUnavailableError: Redis does not respond in time.
        """
        return await self.limits.statistics()

    async def prepare(self, principal: Principal, question: Question) -> Prepared:
        """Check a question before anything is sent.

        Raises:
            PromptTooLongError, UnknownModelError, ForbiddenParameterError, LLMNotConfiguredError,
                ConversationNotFoundError, DatabaseUnavailableError: The question cannot be answered.
        """
        longest = self.gateway.config.settings.limits.max_prompt_characters
        if longest and len(question.text) > longest:
            raise PromptTooLongError(f"The text is longer than {longest} characters.")
        candidates = self.gateway.candidates(question.task, question.model_name, question.params)
        session, history = await self._conversation(principal, question)
        messages = build_messages(question.task, history, question.text, self.settings.llm_history_characters)
        return Prepared(
            question=question,
            principal=principal,
            messages=messages,
            session=session,
            prompt_tokens=conservative_prompt_tokens(messages),
            output_tokens=max(candidate.output_tokens for candidate in candidates),
            may_cost=any(self._may_cost(candidate.provider) for candidate in candidates),
        )

    def _may_cost(self, provider: str) -> bool:
        configured = self.gateway.config.providers.get(provider)
        return configured is not None and self.gateway.access.may_cost_money(provider, configured)

    async def _conversation(
        self, principal: Principal, question: Question
    ) -> tuple[ConversationRef | None, list[Message]]:
        if question.task != "conversation":
            return None, []
        if question.session_id is None:
            return ConversationRef(uuid4(), is_new=True), []
        async with self.database.read() as session:
            conversations = ConversationService(session)
            row = await conversations.find(principal, question.session_id)
            history = await conversations.recent(row, self.settings.llm_history_turns)
        return ConversationRef(row.id, is_new=False), history

    async def submit(self, prepared: Prepared, idempotency_key: str | None) -> Submitted:
        """Send a prepared question to the workers.

        Raises:
            LLMLimitError: A limit is reached.
            LimitsUnavailableError, BrokerUnavailableError, ResultStoreUnavailableError: Redis does not respond.
            SubmissionInProgressError, KeyReusedError: The `Idempotency-Key` is in use, or was used for another request.
        """
        job = self._job(prepared)
        name = TASK_NAMES[job.task]
        owner = str(job.user_id) if job.user_id else None
        lease: Lease | None = None

        async def admit(task_id: str) -> None:
            nonlocal lease
            lease_s = float(self.settings.celery_visibility_timeout_s)
            lease = await self._admit(prepared, task_id, lease_s, sent_now=False)

        try:
            if idempotency_key is None:
                task_id = str(uuid4())
                await admit(task_id)
                await self.tasks.submit(name, job.as_json(), owner=owner, task_id=task_id, tag=job.key)
            else:
                mark = fingerprint(
                    name, {**job.as_json(), "session_id": prepared.question.session_id, "request_id": ""}
                )
                task_id = await self.tasks.submit_once(
                    idempotency_key,
                    mark,
                    name,
                    job.as_json(),
                    caller=prepared.principal.caller,
                    owner=owner,
                    admit=admit,
                    tag=job.key,
                )
        except BaseException:
            if lease is not None:
                await self.limits.withdraw(lease)
            raise
        return Submitted(UUID(task_id), self._estimate(lease))

    async def task_cancelled(self, record: TaskRecord) -> None:
        """Release the resources of a cancelled task."""
        if record.name in TASK_NAMES.values() and record.tag is not None:
            await self.limits.release(Lease(record.task_id, record.tag))

    def _job(self, prepared: Prepared) -> Job:
        question = prepared.question
        return Job(
            task=question.task,
            question=question.text,
            params=question.params,
            model_name=question.model_name,
            session=prepared.session,
            user_id=prepared.principal.user_id,
            key=prepared.principal.key,
            timeout_s=question.timeout_s,
            fault=question.fault,
            request_id=question.request_id,
        )

    def _estimate(self, lease: Lease | None) -> float | None:
        if lease is None or lease.mean_task_ms is None:
            return None
        snapshot = self.workers.snapshot
        queue = LLM_QUEUE if self.settings.use_dedicated_queues else DEFAULT_QUEUE
        ahead = snapshot.queue_depths.get(queue, 0) / max(1, processes_on(snapshot, queue))
        return round(lease.mean_task_ms / 1000 * (1 + ahead), 1)

    async def _admit(self, prepared: Prepared, lease_id: str, lease_s: float, *, sent_now: bool) -> Lease:
        return await self.limits.admit(
            prepared.principal.key,
            lease_id,
            tokens=prepared.prompt_tokens + prepared.output_tokens,
            prompt=prepared.prompt_tokens if sent_now else 0,
            lease_s=lease_s,
            may_cost=prepared.may_cost,
        )

    @asynccontextmanager
    async def stream(self, prepared: Prepared) -> AsyncIterator[Spending]:
        """Admit a stream, and account for it at the end of the context.

        Raises:
            LLMLimitError: A limit is reached.
            LimitsUnavailableError: Redis does not respond, and the request could cost money.
        """
        lease_s = self.gateway.config.longest_total_s + LEASE_MARGIN_S
        lease = await self._admit(prepared, str(uuid4()), lease_s, sent_now=True)
        async with Spending(
            prepared, lease, self.gateway, self.limits, self.database, self.metrics
        ).counted() as spending:
            yield spending


def processes_on(snapshot: Snapshot, queue: str) -> int:
    """Return the number of worker processes that consume a queue."""
    return sum(
        int(worker.report["stats"].get("pool", {}).get("max-concurrency", 1))
        for worker in snapshot.workers
        if worker.status == "online" and queue in worker.report["queues"]
    )
