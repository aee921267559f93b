"""The accounting of one stream from its admission. It is counted and stored once in any case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from inference_core.core.db.engine import Database
from inference_core.core.exceptions import ServiceError
from inference_core.core.loggers import get_logger
from inference_core.llm.accounting.ledger import Answered, prompt_alone, record, tokens_of
from inference_core.llm.accounting.limits import Lease, UserLimits
from inference_core.llm.gateway.candidates import Candidate
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.gateway.open_stream import OpenStream
from inference_core.llm.questions import Prepared
from inference_core.llm.streaming.sending import Progress
from inference_core.llm.telemetry import LLMMetrics
from inference_core.llm.tokens import conservative_tokens
from inference_core.llm.types import Usage

log = get_logger(__name__)


@dataclass(slots=True)
class Spending:
    """The account of one stream.

    Attributes:
        sent_to: The candidates that received the prompt.
        source: The answer of the provider; None before its first piece.
        progress: The part that was sent to the client.
        error: The reason if there is no `source`.
    """

    prepared: Prepared
    lease: Lease
    gateway: Gateway
    limits: UserLimits
    database: Database
    metrics: LLMMetrics
    sent_to: list[Candidate] = field(default_factory=list)
    source: OpenStream | None = None
    progress: Progress = field(default_factory=Progress)
    error: ServiceError | None = None
    settled: bool = False

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[Spending]:
        """The context of the stream. At its end, the provider's call has ended and the stream is accounted for."""
        try:
            yield self
        finally:
            try:
                if self.source is not None:
                    await self.source.aclose()
            finally:
                await self._settle_at_last()

    async def open(self) -> OpenStream:
        """Call the model, and wait for the first piece of its answer.

        Raises:
            LLMError: There is no answer.
        """
        question = self.prepared.question
        try:
            self.source = await self.gateway.open_stream(
                question.task, self.prepared.request, question.model_name, self.sent_to
            )
        except ServiceError as error:
            self.error = error
            raise
        return self.source

    async def _settle_at_last(self) -> None:
        try:
            await self.settle()
        except Exception as error:  # noqa: BLE001  # the client gets the error that ended the stream
            log.warning("llm_stream_not_stored", lease_id=self.lease.id, error=type(error).__name__)

    async def settle(self) -> None:
        """Count and store the stream. If it is incomplete, store the generated part. Later calls do nothing.

        Raises:
            DatabaseUnavailableError, AnswerNotStoredError: The stream is counted but not stored.
        """
        if self.settled:
            return
        self.settled = True
        error = self.error or self.progress.error
        if error is not None:
            self.metrics.count_error(error)
        answered = self._answered()
        await self.limits.settle(self.lease, tokens=tokens_of(answered), failed=error is not None)
        await record(self.database, answered)

    def _answered(self) -> list[Answered]:
        """Return the charges: the prompts without an answer, and the answer."""
        prepared, source = self.prepared, self.source
        lost = self.sent_to if source is None else self.sent_to[:-1]
        answered = [
            prompt_alone(prepared.principal.user_id, candidate, prepared.prompt_tokens, self.gateway)
            for candidate in lost
        ]
        if source is not None:
            answered.append(self._answer(source))
        for one in answered:
            self.metrics.count_answer(one.provider, one.model, one.usage, one.cost_nano_usd())
        return answered

    def _usage(self, source: OpenStream) -> Usage:
        progress = self.progress
        if progress.usage is not None:
            return progress.usage
        # A piece of the simulator is one token. A piece of another provider can have many.
        output = progress.tokens if source.simulated else max(progress.tokens, conservative_tokens(source.text_bytes))
        return Usage(self.prepared.prompt_tokens, output, estimated=True)

    def _answer(self, source: OpenStream) -> Answered:
        return Answered(
            charge_id=self.lease.id,
            user_id=self.prepared.principal.user_id,
            question=self.prepared.question.text,
            session=self.prepared.session,
            text="".join(self.progress.pieces),
            complete=self.progress.complete,
            model=source.model,
            provider=source.provider,
            simulated=source.simulated,
            usage=self._usage(source),
            price=self.gateway.price_of(source.model, simulated=source.simulated),
        )
