"""What one stream takes, from its admission on: counted and stored once, however the stream ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from inference_core.db.engine import Database
from inference_core.exceptions import ServiceError
from inference_core.llm.gateway import Gateway
from inference_core.llm.ledger import Answered, record
from inference_core.llm.limits import Lease, UserLimits
from inference_core.llm.open_stream import OpenStream
from inference_core.llm.prepared import Prepared
from inference_core.llm.simulator.plan import count_input_tokens
from inference_core.llm.streaming import Progress
from inference_core.llm.telemetry import LLMMetrics
from inference_core.llm.types import Usage

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Spending:
    """The account of one stream.

    Attributes:
        source: the provider's answer, once its first piece has come.
        progress: how far it was sent.
        error: why there is no `source`.
    """

    prepared: Prepared
    lease: Lease
    gateway: Gateway
    limits: UserLimits
    database: Database
    metrics: LLMMetrics
    source: OpenStream | None = None
    progress: Progress = field(default_factory=Progress)
    error: ServiceError | None = None
    settled: bool = False

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[Spending]:
        """The time of the stream; at its end the provider's call is over and the account settled, whatever happened."""
        try:
            yield self
        finally:
            try:
                if self.source is not None:
                    await self.source.aclose()
            finally:
                await self.settle()

    async def open(self) -> OpenStream:
        """Ask the model, and wait for the first piece of its answer.

        Raises:
            LLMError: nothing came.
        """
        question = self.prepared.question
        try:
            self.source = await self.gateway.open_stream(question.task, self.prepared.request, question.model_name)
        except ServiceError as error:
            self.error = error
            raise
        return self.source

    async def settle(self) -> None:
        """Count and store what the stream was, whole or broken off; of the latter, what had been generated.

        The first call does it, later ones find it done.

        Raises:
            DatabaseUnavailableError: it is counted but could not be stored.
        """
        if self.settled:
            return
        self.settled = True
        error = self.error or self.progress.error
        if error is not None:
            self.metrics.count_error(error)
        if self.source is None:
            await self.limits.settle(self.lease, tokens=0, failed=error is not None)
            return
        usage = self._usage()
        self.metrics.count_tokens(self.source.provider, self.source.model, usage)
        await self.limits.settle(self.lease, tokens=usage.total_tokens, failed=error is not None)
        await record(self.database, self._answered(self.source, usage))

    def _usage(self) -> Usage:
        progress = self.progress
        return progress.usage or Usage(count_input_tokens(self.prepared.messages), progress.tokens, estimated=True)

    def _answered(self, source: OpenStream, usage: Usage) -> Answered:
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
            usage=usage,
            price=self.gateway.price_of(source.model, simulated=source.simulated),
        )
