"""Store the turns, the charge and the daily totals of an answer, in one transaction and once.

A prompt without an answer has its own charge, which can only be estimated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.exc import IntegrityError

from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database, DatabaseUnavailableError
from inference_core.core.exceptions import ServiceError
from inference_core.core.loggers import get_logger
from inference_core.llm.accounting.repository import UsageRepository
from inference_core.llm.accounting.totals import cost_nano_usd
from inference_core.llm.config.schema import Price
from inference_core.llm.conversations.records import ConversationRef, NewTurn
from inference_core.llm.conversations.repository import ConversationRepository
from inference_core.llm.gateway.candidates import Candidate
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.models import MODEL_LENGTH, NOBODY, TITLE_LENGTH
from inference_core.llm.types import Usage

log = get_logger(__name__)

TRIES = 3
PAUSE_S = 0.5


class AnswerNotStoredError(ServiceError):
    """Raised if the database refuses the text of an answer. The answer is charged, but not part of a conversation."""

    code = "answer_not_stored"
    detail = "The answer could not be stored."


@dataclass(frozen=True, slots=True)
class Answered:
    """A complete or incomplete answer.

    Attributes:
        charge_id: The id of the task or the stream. The service creates it, never the client.
        user_id: The user; None for a caller without an account.
        question: The text of the client, for the history.
        session: The conversation; None if no turns are stored.
        price: None for a simulated answer, which costs nothing.
        keep_answer: Whether to store the text with the charge, so that a redelivered task returns it.
        at: The time of the answer. It is counted to this day.
    """

    charge_id: str
    user_id: UUID | None
    question: str
    session: ConversationRef | None
    text: str
    complete: bool
    model: str
    provider: str
    simulated: bool
    usage: Usage
    price: Price | None
    keep_answer: bool = False
    at: datetime = field(default_factory=utc_now)

    def charge(self) -> dict[str, Any]:
        """Return the values of a row of `llm_charges`."""
        return {
            "id": self.charge_id,
            "owner_id": self.user_id or NOBODY,
            "model": self.model[:MODEL_LENGTH],
            "provider": self.provider[:MODEL_LENGTH],
            "simulated": self.simulated,
            "complete": self.complete,
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "estimated": self.usage.estimated,
            "cost_nano_usd": self.cost_nano_usd(),
            "answer": self.text if self.keep_answer else None,
        }

    def cost_nano_usd(self) -> int:
        """Return the cost in nano-dollars. An answer without a price costs nothing."""
        if self.price is None:
            return 0
        # Convert the text, so that 0.1 is exactly a tenth.
        prices = (self.price.input_per_million_usd, self.price.output_per_million_usd)
        return cost_nano_usd(self.usage, *(Decimal(str(price)) for price in prices))


def prompt_alone(user_id: UUID | None, candidate: Candidate, tokens: int, gateway: Gateway) -> Answered:
    """Return the charge of a prompt without an answer. `tokens` is an estimate."""
    simulated = gateway.providers[candidate.provider].simulated
    return Answered(
        charge_id=str(uuid4()),
        user_id=user_id,
        question="",
        session=None,
        text="",
        complete=False,
        model=candidate.call.name,
        provider=candidate.provider,
        simulated=simulated,
        usage=Usage(tokens, 0, estimated=True),
        price=gateway.price_of(candidate.call.name, simulated=simulated),
    )


def tokens_of(answered: Sequence[Answered]) -> int:
    """Return the tokens of all charges of a request."""
    return sum(one.usage.total_tokens for one in answered)


async def record(database: Database, answered: Sequence[Answered], *, in_place_of: Answered | None = None) -> bool:
    """Store the charges and the turns of a request in one transaction.

    Return False if an answer with the id of the last one was stored before.

    Args:
        database: The database.
        answered: The charges of the request, the answer last.
        in_place_of: A charge that was stored before the prompt was sent, and that these charges replace.

    Raises:
        DatabaseUnavailableError: The database did not respond to several attempts.
        AnswerNotStoredError: The database refused the text. The cost is stored without it if possible.
    """
    if not answered and in_place_of is None:
        return True
    for attempt in range(1, TRIES + 1):
        try:
            return await _record_once(database, answered, in_place_of)
        except DatabaseUnavailableError:
            if attempt == TRIES:
                for one in answered:
                    log.error("llm_answer_not_stored", **_numbers(one))  # noqa: TRY400  # the cause is logged already
                raise
            await asyncio.sleep(PAUSE_S * attempt)
        except Exception as error:  # each driver has its own errors for a text that it cannot store
            await _record_cost_alone(database, answered, in_place_of, error)
            raise AnswerNotStoredError from error
    raise AssertionError("unreachable")


async def _record_cost_alone(
    database: Database, answered: Sequence[Answered], in_place_of: Answered | None, refused: Exception
) -> None:
    # The text of the error can contain the answer.
    log.error("llm_answer_refused", error=type(refused).__name__, answers=[_numbers(one) for one in answered])
    costs = [replace(one, session=None, keep_answer=False) for one in answered]
    try:
        await _record_once(database, costs, in_place_of)
    except Exception as error:  # noqa: BLE001  # the numbers are in the log
        log.error("llm_cost_not_stored", error=type(error).__name__)  # noqa: TRY400  # as above


async def _record_once(database: Database, answered: Sequence[Answered], in_place_of: Answered | None) -> bool:
    try:
        await _write(database, answered, in_place_of)
    except IntegrityError:
        async with database.read() as session:
            if not await UsageRepository(session).has_charge(answered[-1].charge_id):
                raise
        return False
    return True


async def _write(database: Database, answered: Sequence[Answered], in_place_of: Answered | None) -> None:
    async with database.write() as session:
        usage = UsageRepository(session)
        if in_place_of is not None:
            await usage.take_back(in_place_of.charge(), in_place_of.at.date())
        for one in answered:
            await usage.charge(one.charge(), one.at.date())
            # Without any answer, no turn is stored, because a question without an answer would be sent again later.
            if one.session is not None and one.text:
                await _store_turns(ConversationRepository(session), one.session, one)


async def _store_turns(conversations: ConversationRepository, session: ConversationRef, answered: Answered) -> None:
    if session.is_new:
        title = " ".join(answered.question.split())[:TITLE_LENGTH]
        await conversations.create(session.id, answered.user_id, title)
    question = NewTurn("user", answered.question)
    answer = NewTurn("assistant", answered.text, answered.complete, answered.model)
    if not await conversations.append(session.id, (question, answer)):
        log.info("llm_session_gone", session_id=str(session.id))


def _numbers(answered: Answered) -> dict[str, object]:
    """Return the data for a manual charge, without the text."""
    return {
        "charge_id": answered.charge_id,
        "user_id": str(answered.user_id or NOBODY),
        "model": answered.model,
        "simulated": answered.simulated,
        "input_tokens": answered.usage.input_tokens,
        "output_tokens": answered.usage.output_tokens,
    }
