"""The request and response bodies of the LLM routes."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from inference_core.core.numbers import JSON_NUMBER
from inference_core.llm.sampling import SamplingFields

# The maximum length of a prompt. The configuration can only lower it.
PROMPT_CHARACTERS = 200_000

# NUL is the only character that PostgreSQL cannot store.
PromptText = Annotated[
    str, StringConstraints(min_length=1, max_length=PROMPT_CHARACTERS, pattern=r"^[^\x00]*$"), Field(repr=False)
]
Usd = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]


class AskOptions(SamplingFields):
    """The parameters of a request to a model, in addition to its text."""

    model_config = ConfigDict(hide_input_in_errors=True, protected_namespaces=())

    model_name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="A model of the configuration; the default is the model of the task."
    )
    request_timeout: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False), JSON_NUMBER] | None = Field(
        default=None, description="Maximum seconds for the complete answer. The configured limit still applies."
    )


class ExplainRequest(AskOptions):
    """A question to be explained."""

    question: PromptText


class ConversationRequest(AskOptions):
    """The next turn of a conversation."""

    user_input: PromptText
    session_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="The conversation to continue; without it, a new one starts."
    )


class TaskSubmitted(BaseModel):
    """A submitted task."""

    task_id: UUID
    status: Literal["PENDING"] = "PENDING"
    message: str
    estimated_time: float | None = Field(description="Estimated seconds until the result; null if unknown.")


class ModelList(BaseModel):
    """The configured models, and whether each is available."""

    models: dict[str, bool]
    success: Literal[True] = True


class Stats(BaseModel):
    """Request counts of all API processes and workers, since the counts in Redis started."""

    requests_count: int
    total_tokens: int
    errors_count: int
    last_request: datetime | None


class StatsAnswer(BaseModel):
    """The counts."""

    stats: Stats
    success: Literal[True] = True


class LLMHealth(BaseModel):
    """Whether the LLM routes work, the available providers, and whether a call could cost money."""

    status: Literal["healthy", "degraded", "unhealthy", "not_configured"]
    available_models: int
    total_models: int
    models: dict[str, bool]
    provider_mode: Literal["auto", "live", "simulated"]
    live_calls_possible: bool = Field(description="Whether a request could reach a provider that charges for it.")


class ParameterRule(BaseModel):
    """How a parameter is handled: sent, sent under another `name`, omitted, or refused."""

    action: Literal["allow", "rename", "drop", "forbid"]
    name: str | None


class ParamPolicy(BaseModel):
    """The effective rules of a provider, or of one of its models."""

    provider: str
    model: str | None
    parameters: dict[str, ParameterRule]


class Conversation(BaseModel):
    """A conversation, without its turns."""

    session_id: UUID
    title: str = Field(description="The beginning of the first turn of the conversation.")
    turn_count: int
    created_at: datetime
    updated_at: datetime


class ConversationPage(BaseModel):
    """The caller's conversations, the most recently used first."""

    items: list[Conversation]
    total: int
    offset: int
    limit: int


class ConversationDeleted(BaseModel):
    """A conversation was deleted."""

    session_id: UUID
    deleted: Literal[True] = True


class Turn(BaseModel):
    """One turn. `complete` is false for an incomplete answer."""

    model_config = ConfigDict(protected_namespaces=())

    role: Literal["user", "assistant"]
    content: str
    complete: bool
    model_name: str | None
    created_at: datetime


class ConversationTurns(Conversation):
    """A conversation and a page of its turns, oldest first."""

    turns: list[Turn]
    offset: int
    limit: int


class UsageTotals(BaseModel):
    """Totals of usage. Simulated answers cost nothing."""

    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_usd: Usd = Field(description="A decimal number; exact to a billionth of a dollar for each answer.")


class UsageItem(UsageTotals):
    """The totals of one day and model."""

    model_config = ConfigDict(protected_namespaces=())

    day: date
    model_name: str
    simulated: bool


class UsageReport(BaseModel):
    """The usage from the first to the last day, both included, by day (UTC) and model."""

    first_day: date
    last_day: date
    items: list[UsageItem]
    totals: UsageTotals


class UserUsage(BaseModel):
    """The totals of one user. The id is null for callers without an account."""

    user_id: UUID | None
    requests: int
    total_tokens: int
    cost_usd: Usd


class UsageOverview(UsageReport):
    """The usage of all users, and the users with the highest cost."""

    users: list[UserUsage]
