"""The types that providers, the gateway and the service share. They are independent of HTTP and of vendors.

A stream consists of `Token` items in order and one `Usage` as its last item. `Token.content` is one piece of text as
the provider sent it. The simulator sends one token in each piece, and other providers usually do. `SIGN_OF_LIFE` can
appear anywhere between the items.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Literal, Protocol

# The name of the simulator of this process as a provider.
SIMULATED = "simulated"

Role = Literal["system", "user", "assistant"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high"]
Verbosity = Literal["low", "medium", "high"]
ParameterValue = float | int | str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """The sampling parameters. `sampling.py` has their ranges.

    A parameter that is None has the default of the configuration, or else of the provider.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: ReasoningEffort | None = None
    verbosity: Verbosity | None = None

    def given(self) -> dict[str, ParameterValue]:
        """Return the set parameters by name."""
        values = {name: getattr(self, name) for name in PARAMETER_NAMES}
        return {name: value for name, value in values.items() if value is not None}


PARAMETER_NAMES = tuple(item.name for item in fields(SamplingParams))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request to a model.

    Attributes:
        messages: The conversation, oldest first; at least one message.
        params: The sampling parameters.
        request_id: Identifies the log lines of the request. It is not sent to providers.
        timeout_s: Maximum time for the complete answer, including all attempts. The configured total still applies.
        fault: A fault that the simulator causes, such as `rate_limited:7` (see `simulator.faults`). It is not sent to
            real providers, and it is ignored in production.
    """

    messages: tuple[Message, ...]
    params: SamplingParams = field(default_factory=SamplingParams)
    request_id: str = ""
    timeout_s: float | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer, never empty.

    `planned_ms` comes from the simulator only: when it planned to send this token, in milliseconds from the arrival
    of the request at the simulator, its queue included. Served minus planned is what everything around it added.
    """

    content: str
    planned_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of an answer. `estimated` is true if the provider reported no usage or an impossible one."""

    input_tokens: int
    output_tokens: int
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Return the sum of input and output."""
        return self.input_tokens + self.output_tokens

    def as_json(self) -> dict[str, int | bool]:
        """Return the form for clients. An estimate is marked."""
        counts: dict[str, int | bool] = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
        }
        return counts | {"estimated": True} if self.estimated else counts


StreamItem = Token | Usage


class SignOfLife(Enum):
    """A sign of life of the provider without text: reasoning, tool calls, pings or comments."""

    SIGN_OF_LIFE = "sign of life"


SIGN_OF_LIFE = SignOfLife.SIGN_OF_LIFE
ProviderItem = StreamItem | Literal[SignOfLife.SIGN_OF_LIFE]


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer of a provider."""

    content: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Completion:
    """A complete answer of the gateway, with the model and provider that answered."""

    content: str
    usage: Usage
    model: str
    provider: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class ModelCall:
    """The use of a model by one request.

    Attributes:
        name: The configured name, which clients see.
        upstream: The provider's name of the model.
        parameters: The parameters that the policy permits, under the provider's names.
        context_tokens: Maximum number of tokens of the prompt and the answer together; None if unknown.
    """

    name: str
    upstream: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    context_tokens: int | None = None


class Provider(Protocol):
    """A provider of answers: a vendor, a server with the API of a vendor, or the simulator.

    Methods raise only subclasses of `inference_core.llm.errors.ProviderError`. Cancelling the awaiting task, or closing
    the generator, ends the upstream call immediately.
    """

    @property
    def name(self) -> str:
        """The configured name."""

    @property
    def simulated(self) -> bool:
        """Whether its answers are simulated and cost nothing."""

    def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[ProviderItem, None]:
        """Yield the pieces of an answer, then the usage. Nothing is sent before the first item is requested."""

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        """Return a complete answer."""

    async def models(self) -> list[str]:
        """Return the names of its models."""

    async def aclose(self) -> None:
        """Close its connections."""
