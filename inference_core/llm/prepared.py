"""A question and its caller, before and after its checks."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from inference_core.llm.config.schema import TaskName
from inference_core.llm.ledger import SessionRef
from inference_core.llm.repository import SessionRow
from inference_core.llm.types import ChatRequest, Message, SamplingParams


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a question.

    Attributes:
        key: Identifies the limits of the caller. Callers without an account share those of their network.
        caller: Identifies the caller, by the address if there is no account.
        user_id: None for a caller without an account.
    """

    key: str
    caller: str
    user_id: UUID | None = None

    def owns(self, session: SessionRow) -> bool:
        """Return whether the caller may see a conversation: its user, or everybody for an anonymous one."""
        return session.user_id is None or session.user_id == self.user_id


@dataclass(frozen=True, slots=True)
class Question:
    """The question of a client."""

    task: TaskName
    text: str
    params: SamplingParams
    model_name: str | None
    timeout_s: float | None
    session_id: str | None = None
    fault: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that nothing stands against, as far as can be known before it is asked.

    Attributes:
        prompt_tokens: what the messages may take, estimated.
        output_tokens: what the answer may take at most.
    """

    question: Question
    principal: Principal
    messages: tuple[Message, ...]
    session: SessionRef | None
    prompt_tokens: int
    output_tokens: int
    may_cost: bool

    @property
    def request(self) -> ChatRequest:
        """Return the request for the gateway."""
        question = self.question
        return ChatRequest(self.messages, question.params, question.request_id, question.timeout_s, question.fault)
