"""The schema of `llm_config.yaml`. Unknown keys are mistakes, and every number has a range."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field, field_validator

from inference_core.llm.sampling import ParameterName, SamplingFields

ProviderKind = Literal["openai_compatible", "anthropic", "gemini", "simulated"]
NATIVE_KINDS: tuple[ProviderKind, ...] = ("anthropic", "gemini", "simulated")
TaskName = Literal["explain", "conversation"]
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Seconds = Annotated[float, Field(gt=0, le=3600)]
EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]


class Part(BaseModel):
    """Base class of the mappings of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ProviderConfig(Part):
    """A provider.

    Attributes:
        api_key_env: The environment variable with the key; None for a server that needs none.
        base_url: The URL of its API.
        openai_compatible: Whether it has the API of OpenAI.
        kind: Its API. It is not needed with `openai_compatible: true`, or if the provider's name is the kind.
        simulator: Whether `base_url` is an `inference-core llm-sim` on this machine. Such a provider may be called even
            if live calls are forbidden, and its answers count as simulated.
    """

    api_key_env: EnvironmentVariable | None = None
    base_url: str | None = None
    openai_compatible: bool = False
    kind: ProviderKind | None = None
    simulator: bool = False

    @field_validator("base_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = value.strip()
        try:
            parts = urlsplit(value)
            is_sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            httpx2.URL(value)  # the parser of the clients
        except (ValueError, httpx2.InvalidURL):
            is_sound = False
        if not is_sound or not value.isprintable() or " " in value:
            raise ValueError("must be an http:// or https:// URL with a host")
        if parts.username or parts.password:
            raise ValueError("must not contain a user or password; put the key into the variable named by api_key_env")
        return value.rstrip("/")

    def kind_for(self, name: str) -> ProviderKind | None:
        """Return the API of the provider `name`, or None if it is not stated."""
        if self.kind:
            return self.kind
        if self.openai_compatible:
            return "openai_compatible"
        return next((kind for kind in NATIVE_KINDS if kind == name), None)


class Defaults(SamplingFields, Part):
    """Sampling parameters for requests that do not contain them."""


class Price(Part):
    """Prices of a million tokens in US dollars."""

    input_per_million_usd: Annotated[float, Field(ge=0)] = 0.0
    output_per_million_usd: Annotated[float, Field(ge=0)] = 0.0


class TimeoutOverrides(Part):
    """Timeouts that replace those of `settings.timeouts`, for example for a model that reasons before it answers."""

    first_token_s: Seconds | None = None
    between_tokens_s: Seconds | None = None
    total_s: Seconds | None = None


class ModelConfig(Part):
    """A model that requests can name.

    Attributes:
        provider: The name of its provider.
        model: The provider's name for it, if it is different.
        context_tokens: Maximum number of tokens of the prompt and the answer together.
        max_output_tokens: Maximum of `max_tokens` in a request.
        defaults: Parameters for requests that do not contain them.
        price: The price of its tokens.
        timeouts: These take precedence over those of the task.
    """

    provider: str
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    context_tokens: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    defaults: Defaults = Defaults()
    price: Price = Price()
    timeouts: TimeoutOverrides = TimeoutOverrides()


class TaskConfig(Part):
    """The models of a task. The first one that is available answers.

    Attributes:
        primary: The first model.
        fallback: The models after it, in this order.
        testing: Models that requests can name, but not in production.
        timeouts: These take precedence over those of the settings.
    """

    primary: str | None = None
    fallback: list[str] = []
    testing: list[str] = []
    timeouts: TimeoutOverrides = TimeoutOverrides()


class Timeouts(Part):
    """The maximum duration of each phase of a call, in seconds.

    Attributes:
        connect_s: The connection to the provider.
        first_token_s: A silence before the first token. Everything that the provider sends ends a silence, including
            reasoning, pings and comments.
        between_tokens_s: A silence after the first token.
        total_s: The complete answer.
    """

    connect_s: Seconds = 5.0
    first_token_s: Seconds = 30.0
    between_tokens_s: Seconds = 20.0
    total_s: Seconds = 120.0

    def changed(self, *overrides: TimeoutOverrides) -> Timeouts:
        """Return the timeouts with the values of `overrides`. Later ones take precedence."""
        values = [override.model_dump(exclude_none=True) for override in overrides]
        return self.model_copy(update={name: value for given in values for name, value in given.items()})


class Breaker(Part):
    """The circuit breaker opens for `open_s` after `failures` consecutive failures.

    Then one request tries the provider.
    """

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    open_s: Seconds = 30.0


class Limits(Part):
    """The limits of one user. 0 means no limit.

    Attributes:
        concurrent_requests: Concurrent streams and tasks of one user.
        concurrent_streams: Concurrent streams of all users in one API process.
        anonymous_share: The share of these streams that callers without an account can hold together.
        max_prompt_characters: Maximum length of the text of a request.
    """

    requests_per_minute: Annotated[int, Field(ge=0)] = 60
    concurrent_requests: Annotated[int, Field(ge=0)] = 10
    tokens_per_day: Annotated[int, Field(ge=0)] = 1_000_000
    concurrent_streams: Annotated[int, Field(ge=0)] = 500
    anonymous_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    max_prompt_characters: Annotated[int, Field(ge=0)] = 100_000


class LLMSettings(Part):
    """The limits of every call.

    Attributes:
        max_retries: Maximum number of retries of one request, after failures before the first token.
        env_overrides: The dotted paths of values of this file, by the environment variables that replace them.
    """

    timeouts: Timeouts = Timeouts()
    max_retries: Annotated[int, Field(ge=0, le=1)] = 1
    breaker: Breaker = Breaker()
    limits: Limits = Limits()
    env_overrides: dict[EnvironmentVariable, str] = {}


class Policy(Part):
    """The rules of sampling parameters.

    With `allow`, unlisted parameters are forbidden. Without it, they keep the rule of the lower layer: for a model that
    of its provider, and for a provider that of its kind.
    """

    allow: list[ParameterName] | None = None
    rename: dict[ParameterName, Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]] = {}
    drop: list[ParameterName] = []
    forbid: list[ParameterName] = []


class ParamPolicies(Part):
    """Policies by provider and by model."""

    providers: dict[str, Policy] = {}
    models: dict[str, Policy] = {}


class LLMConfig(Part):
    """The whole file."""

    providers: dict[Name, ProviderConfig] = {}
    models: dict[Name, ModelConfig] = {}
    tasks: dict[TaskName, TaskConfig] = {}
    settings: LLMSettings = LLMSettings()
    param_policies: ParamPolicies = ParamPolicies()

    def task(self, name: TaskName) -> TaskConfig:
        """Return the models of a task. Empty if the file has none."""
        return self.tasks.get(name, TaskConfig())

    def timeouts(self, task: TaskName, model: str | None = None) -> Timeouts:
        """Return the timeouts of a model for a task, or those of the task without a model."""
        of_model = self.models[model].timeouts if model is not None else TimeoutOverrides()
        return self.settings.timeouts.changed(self.task(task).timeouts, of_model)

    @property
    def longest_total_s(self) -> float:
        """Return the longest total timeout."""
        overrides = [part.timeouts for part in self.tasks.values()] + [part.timeouts for part in self.models.values()]
        return max([self.settings.timeouts.total_s, *(override.total_s or 0.0 for override in overrides)])
