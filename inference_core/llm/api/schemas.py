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

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": "How do tides work?"}]})

    question: PromptText = Field(description="The question.")


class ConversationRequest(AskOptions):
    """The next turn of a conversation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_input": "How do tides work?"}]})

    user_input: PromptText = Field(description="The next message of the user.")
    session_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="The conversation to continue; without it, a new one starts."
    )


class TaskSubmitted(BaseModel):
    """A submitted task."""

    task_id: UUID = Field(description="The id for `/api/v1/tasks/{task_id}/result`.")
    status: Literal["PENDING"] = Field(default="PENDING", description="The state of the task.")
    message: str
    estimated_time: float | None = Field(description="Estimated seconds until the result; null if unknown.")


class ModelList(BaseModel):
    """The configured models, and whether each is available."""

    models: dict[str, bool] = Field(description="The names of the models, and whether each is available.")
    success: Literal[True] = True


class Stats(BaseModel):
    """Request counts of all API processes and workers, since the counts in Redis started."""

    requests_count: int = Field(description="The number of requests.")
    total_tokens: int = Field(description="The number of tokens of prompts and answers.")
    errors_count: int = Field(description="The number of failed requests.")
    last_request: datetime | None = Field(description="The time of the last request (UTC); null if there was none.")


class StatsAnswer(BaseModel):
    """The counts."""

    stats: Stats = Field(description="The counts.")
    success: Literal[True] = True


class LLMHealth(BaseModel):
    """Whether the LLM routes work, the available providers, and whether a call could cost money."""

    status: Literal["healthy", "degraded", "unhealthy", "not_configured"] = Field(
        description="Whether the LLM routes work."
    )
    available_models: int = Field(description="The number of available models.")
    total_models: int = Field(description="The number of configured models.")
    models: dict[str, bool] = Field(description="The names of the models, and whether each is available.")
    provider_mode: Literal["auto", "live", "simulated"] = Field(description="`LLM_PROVIDER_MODE`.")
    live_calls_possible: bool = Field(description="Whether a request could reach a provider that charges for it.")


class ParameterRule(BaseModel):
    """How a parameter is handled: sent, sent under another `name`, omitted, or refused."""

    action: Literal["allow", "rename", "drop", "forbid"] = Field(
        description="Whether the parameter is sent, sent under another name, omitted, or refused."
    )
    name: str | None = Field(description="The other name; null unless the action is `rename`.")


class ParamPolicy(BaseModel):
    """The effective rules of a provider, or of one of its models."""

    provider: str = Field(description="The name of the provider.")
    model: str | None = Field(description="The name of the model; null for the rules of the provider.")
    parameters: dict[str, ParameterRule] = Field(description="The rule of each parameter.")


class Conversation(BaseModel):
    """A conversation, without its turns."""

    session_id: UUID = Field(description="The id of the conversation.")
    title: str = Field(description="The beginning of the first turn of the conversation.")
    turn_count: int = Field(description="The number of turns.")
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

    session_id: UUID = Field(description="The id of the conversation.")
    deleted: Literal[True] = Field(default=True, description="Always true.")


class Turn(BaseModel):
    """One turn. `complete` is false for an incomplete answer."""

    model_config = ConfigDict(protected_namespaces=())

    role: Literal["user", "assistant"] = Field(description="Who wrote the turn.")
    content: str = Field(description="The text.")
    complete: bool = Field(description="Whether the answer is complete.")
    model_name: str | None = Field(description="The model of an answer; null for the user.")
    created_at: datetime


class ConversationTurns(Conversation):
    """A conversation and a page of its turns, oldest first."""

    turns: list[Turn] = Field(description="The turns, the oldest first.")
    offset: int
    limit: int


class UsageTotals(BaseModel):
    """Totals of usage. Simulated answers cost nothing."""

    requests: int = Field(description="The number of requests.")
    input_tokens: int = Field(description="The number of tokens of the prompts.")
    output_tokens: int = Field(description="The number of tokens of the answers.")
    total_tokens: int = Field(description="The sum of both.")
    cost_usd: Usd = Field(description="A decimal number; exact to a billionth of a dollar for each answer.")


class UsageItem(UsageTotals):
    """The totals of one day and model."""

    model_config = ConfigDict(protected_namespaces=())

    day: date = Field(description="The day (UTC).")
    model_name: str = Field(description="The name of the model.")
    simulated: bool = Field(description="Whether the answers were simulated, which costs nothing.")


class UsageReport(BaseModel):
    """The usage from the first to the last day, both included, by day (UTC) and model."""

    first_day: date = Field(description="The first day (UTC).")
    last_day: date = Field(description="The last day (UTC), included.")
    items: list[UsageItem]
    totals: UsageTotals = Field(description="The totals of all days and models.")


class UserUsage(BaseModel):
    """The totals of one user. The id is null for callers without an account."""

    user_id: UUID | None = Field(description="The id of the user; null for callers without an account.")
    requests: int = Field(description="The number of requests.")
    total_tokens: int = Field(description="The number of tokens of prompts and answers.")
    cost_usd: Usd = Field(description="The cost as a decimal number.")


class UsageOverview(UsageReport):
    """The usage of all users, and the users with the highest cost."""

    users: list[UserUsage] = Field(description="The users with the highest cost, in this order.")
