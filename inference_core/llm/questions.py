"""The question of a client, before and after its checks."""

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
    """A question that has passed all checks before the call of a model.

    Attributes:
        messages: The prompt, including the instructions and the latest turns.
        session: The conversation; None if the question belongs to none.
        prompt_tokens: A conservative estimate of the tokens of the prompt.
        output_tokens: Maximum number of tokens of the answer.
        may_cost: Whether the answer could cost money.
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
