"""The words that providers, the gateway and the service share; nothing here knows HTTP or a vendor.

A stream is a sequence of `Token`, in order, each once, and one `Usage` as its last item. `Token.content` is what the
provider sent in one piece: for the simulator exactly one token, for others usually one. A provider may put
`SIGN_OF_LIFE` anywhere between them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Literal, Protocol

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
    """What is asked of a model.

    Attributes:
        messages: oldest first; at least one.
        request_id: finds the log lines of the request; sent to no provider.
        timeout_s: for the whole answer, all attempts included; never more than the configured total.
        fault: a fault for the simulator to commit, such as `rate_limited:7` (see `simulator.faults`). Real providers
            never see it, and nothing honours it in production.
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
    """A model as one request uses it.

    Attributes:
        name: as configured and shown to clients.
        upstream: as its provider calls it.
        parameters: what the policy lets through, under the provider's own names.
        context_tokens: room for prompt and answer together; None if not known.
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
        """As configured."""

    @property
    def simulated(self) -> bool:
        """Whether its answers are made up and cost nothing."""

    def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[ProviderItem, None]:
        """Generate piece by piece; the last item is the usage. Nothing is sent before the first item is asked for."""

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        """Generate the whole answer."""

    async def models(self) -> list[str]:
        """The names of the models it serves."""

    async def aclose(self) -> None:
        """Close its connections."""
