"""A question and its caller, before and after its checks."""

from __future__ import annotations

from dataclasses import dataclass

from inference_core.llm.config.schema import TaskName
from inference_core.llm.conversations.records import ConversationRef
from inference_core.llm.principal import Principal
from inference_core.llm.types import ChatRequest, Message, SamplingParams


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
    session: ConversationRef | None
    prompt_tokens: int
    output_tokens: int
    may_cost: bool

    @property
    def request(self) -> ChatRequest:
        """Return the request for the gateway."""
        question = self.question
        return ChatRequest(self.messages, question.params, question.request_id, question.timeout_s, question.fault)
