"""Bodies of the LLM routes."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from inference_core.llm.types import PARAMETER_NAMES, ReasoningEffort, SamplingParams, Verbosity

# The configuration may bound a prompt further; this is what one is at most, whatever it says.
PROMPT_CHARACTERS = 200_000

# NUL is the one character that PostgreSQL does not store.
PromptText = Annotated[
    str, StringConstraints(min_length=1, max_length=PROMPT_CHARACTERS, pattern=r"^[^\x00]*$"), Field(repr=False)
]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Usd = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]


class AskOptions(BaseModel):
    """What every request to a model may say beside its text."""

    model_config = ConfigDict(hide_input_in_errors=True, protected_namespaces=())

    model_name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="A model of the configuration; the task's own if not given."
    )
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    request_timeout: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] | None = Field(
        default=None, description="Seconds for the whole answer; never more than the configured limit."
    )
    reasoning_effort: ReasoningEffort | None = None
    verbosity: Verbosity | None = None

    def params(self) -> SamplingParams:
        """The sampling parameters."""
        return SamplingParams(**{name: getattr(self, name) for name in PARAMETER_NAMES})


class ExplainRequest(AskOptions):
    """Something to be explained."""

    question: PromptText


class ConversationRequest(AskOptions):
    """The next turn of a conversation."""

    user_input: PromptText
    session_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="The conversation to go on with; a new one if not given."
    )


class TaskSubmitted(BaseModel):
    """A task that was sent to the workers."""

    task_id: UUID
    status: Literal["PENDING"] = "PENDING"
    message: str
    estimated_time: float | None = Field(
        description="Seconds until the result, by what tasks have taken and how many wait; null while none has run."
    )


class ModelList(BaseModel):
    """Every configured model and whether it can be asked."""

    models: dict[str, bool]
    success: Literal[True] = True


class Stats(BaseModel):
    """Counts over all API processes and workers, since Redis began to count."""

    requests_count: int
    total_tokens: int
    errors_count: int
    last_request: datetime | None


class StatsAnswer(BaseModel):
    """The counts."""

    stats: Stats
    success: Literal[True] = True


class LLMHealth(BaseModel):
    """Whether questions can be answered, by whom, and whether that could cost money."""

    status: Literal["healthy", "degraded", "unhealthy", "not_configured"]
    available_models: int
    total_models: int
    models: dict[str, bool]
    provider_mode: Literal["auto", "live", "simulated"]
    live_calls_possible: bool = Field(description="Whether any request could reach a provider that charges for it.")


class ParameterRule(BaseModel):
    """What happens to a parameter: sent, sent under another `name`, left out, or refused."""

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
    title: str = Field(description="The beginning of its first turn.")
    turn_count: int
    created_at: datetime
    updated_at: datetime


class ConversationPage(BaseModel):
    """The caller's conversations, the last used first."""

    items: list[Conversation]
    total: int
    offset: int
    limit: int


class ConversationDeleted(BaseModel):
    """A conversation is gone."""

    session_id: UUID
    deleted: Literal[True] = True


class Turn(BaseModel):
    """One turn; an answer that was broken off is not `complete`."""

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
    """Sums; simulated answers cost nothing."""

    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_usd: Usd = Field(description="Decimal, exact to a billionth of a dollar for each answer.")


class UsageItem(UsageTotals):
    """The sums of one day and model."""

    model_config = ConfigDict(protected_namespaces=())

    day: date
    model_name: str
    simulated: bool


class UsageReport(BaseModel):
    """What was used from the first day to the last, both included, by day (UTC) and model."""

    first_day: date
    last_day: date
    items: list[UsageItem]
    totals: UsageTotals


class UserUsage(BaseModel):
    """The sums of one user; no id for those who called without an account."""

    user_id: UUID | None
    requests: int
    total_tokens: int
    cost_usd: Usd


class UsageOverview(UsageReport):
    """What all users have used together, and those who spent most."""

    users: list[UserUsage]
