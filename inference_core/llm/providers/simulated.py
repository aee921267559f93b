"""The simulator of this process as a provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from inference_core.llm import errors
from inference_core.llm.providers.collect import collect
from inference_core.llm.simulator.engine import Engine
from inference_core.llm.simulator.faults import BadFaultError, Fault, FaultKind, SimulatedFailure
from inference_core.llm.types import SIMULATED, ChatRequest, ModelCall, Reply, StreamItem, Usage

REFUSED_AS: dict[FaultKind, type[errors.ProviderError]] = {
    "connect_refused": errors.UpstreamUnavailableError,
    "unavailable": errors.UpstreamUnavailableError,
    "rate_limited": errors.ProviderRateLimitedError,
    "auth_failed": errors.ProviderAuthError,
    "context_too_long": errors.ContextTooLongError,
    "model_not_found": errors.ProviderModelNotFoundError,
}


class SimulatedProvider:
    """A provider with the answers of `engine`. Its failures become the same errors as those of real providers."""

    name = SIMULATED
    simulated = True

    def __init__(self, engine: Engine, model_names: Callable[[], list[str]] = list) -> None:
        self.engine = engine
        self._model_names = model_names

    async def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[StreamItem, None]:
        """Yield tokens with their planned times, then the usage."""
        try:
            async with self.engine.answer(request, call) as answer, aclosing(answer.tokens()) as tokens:
                async for token in tokens:
                    yield token
        except SimulatedFailure as failure:
            raise error_of(failure.fault) from None
        except BadFaultError as error:
            raise errors.ProviderBadRequestError(SIMULATED, detail=str(error)) from None
        yield Usage(answer.plan.input_tokens, len(answer.plan.tokens))

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        """Return the complete answer when its last token is due."""
        return await collect(self.stream(request, call))

    async def models(self) -> list[str]:
        """Return the configured models, each of which it can simulate."""
        return self._model_names()

    async def aclose(self) -> None:
        """Do nothing."""


def error_of(fault: Fault) -> errors.ProviderError:
    """Return the error for a failure of this kind."""
    kind = REFUSED_AS.get(fault.kind, errors.UpstreamFailedError)
    retry_after_s = round(fault.value) if fault.kind in ("rate_limited", "unavailable") else None
    return kind(SIMULATED, f"simulated {fault.kind}", retry_after_s=retry_after_s)
