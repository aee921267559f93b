"""The gateway to language models: select the provider, limit the time, and fall back before the first token."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from inference_core.core.loggers import get_logger
from inference_core.core.text import clean
from inference_core.llm.config.access import Access
from inference_core.llm.config.environment import process_environment
from inference_core.llm.config.loader import load_llm_config
from inference_core.llm.config.schema import LLMConfig, Price, TaskName
from inference_core.llm.errors import ProviderError, UpstreamFailedError
from inference_core.llm.gateway.breaker import CircuitBreaker
from inference_core.llm.gateway.candidates import Candidate, Resolver
from inference_core.llm.gateway.open_stream import OpenStream
from inference_core.llm.gateway.time_limits import Deadline
from inference_core.llm.providers.registry import open_providers
from inference_core.llm.settings import LLMSettings
from inference_core.llm.tokens import MAX_ANSWER_BYTES, plausible_usage
from inference_core.llm.types import SIMULATED, ChatRequest, Completion, Provider, SamplingParams

log = get_logger(__name__)

# A random pause before the retry, so that clients do not retry at the same time.
RETRY_PAUSE_S = (0.05, 0.25)

T = TypeVar("T")


class Gateway:
    """The providers of one process, with a circuit breaker each.

    Attributes:
        config: The content of `llm_config.yaml`, including prices and limits.
        access: The providers that may be called.
    """

    def __init__(self, config: LLMConfig, access: Access, providers: Mapping[str, Provider]) -> None:
        self.config = config
        self.access = access
        self.providers = providers
        self._resolver = Resolver(config, access)
        breaker = config.settings.breaker
        # The simulator in this process is always available. Its failures were requested.
        self.breakers = {
            name: CircuitBreaker(name, breaker.failures, breaker.open_s)
            for name, provider in providers.items()
            if provider is not providers[SIMULATED]
        }

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: LLMSettings, config: LLMConfig | None = None, environ: Mapping[str, str] | None = None
    ) -> AsyncIterator[Gateway]:
        """Create the gateway of a process, which connects on first use. Close its connections at the end.

        Args:
            settings: The settings of the LLM feature.
            config: The default is `load_llm_config(settings, environ)`.
            environ: The variables with the keys. The default is `process_environment()`.

        Raises:
            LLMConfigError: The configuration is invalid, or a provider needs an extra that is not installed.
        """
        environ = process_environment() if environ is None else environ
        config = config or load_llm_config(settings, environ)
        access = Access.of(settings, config, environ)
        async with AsyncExitStack() as stack:
            providers = open_providers(settings, config, access)
            for provider in providers.values():
                stack.push_async_callback(provider.aclose)
            yield cls(config, access, providers)

    def candidates(
        self, task: TaskName, model_name: str | None = None, params: SamplingParams | None = None
    ) -> list[Candidate]:
        """Return the models that can serve a request, the best first. Nothing is sent.

        Raises:
            UnknownModelError, ForbiddenParameterError, LLMNotConfiguredError: No model can serve the request.
        """
        return self._resolver.candidates(task, model_name, params or SamplingParams())

    def price_of(self, model: str, *, simulated: bool) -> Price | None:
        """Return the price of an answer of a model. None if it costs nothing."""
        configured = self.config.models.get(model)
        return None if simulated or configured is None else configured.price

    @property
    def live_calls_possible(self) -> bool:
        """Return whether a request could reach a provider that is not a declared simulator."""
        return any(self.access.may_cost_money(name, provider) for name, provider in self.config.providers.items())

    def availability(self) -> dict[str, bool]:
        """Return whether each configured model is available, from its provider or from the simulator."""
        return {
            name: self._resolver.may_be_named(name) and self._available(model.provider)
            for name, model in self.config.models.items()
        }

    def _available(self, provider: str) -> bool:
        if not self.access.may_call(provider, self.config.providers[provider]):
            return self.access.may_simulate
        breaker = self.breakers.get(provider)
        return breaker is None or not breaker.is_open

    async def open_stream(
        self,
        task: TaskName,
        request: ChatRequest,
        model_name: str | None = None,
        sent_to: list[Candidate] | None = None,
    ) -> OpenStream:
        """Start an answer. Return when its first piece has arrived, so that refusals precede it.

        The caller closes the stream. Cancelling the awaiting task ends the upstream call immediately.

        Args:
            sent_to: Gets every candidate that received the prompt. The last one gives the answer.

        Raises:
            LLMError: There is no answer. After fallbacks, it is the error of the first candidate.
        """
        candidates = self.candidates(task, model_name, request.params)
        deadline = _deadline(candidates, request)

        async def attempt(candidate: Candidate) -> OpenStream:
            provider = self.providers[candidate.provider]
            items = provider.stream(self._for(candidate, request), candidate.call)
            stream = OpenStream(
                candidate,
                provider,
                items,
                deadline=deadline.within(candidate.timeouts.total_s),
                breaker=self.breakers.get(candidate.provider),
                messages=request.messages,
                on_break=partial(_log_failure, candidate, request, event="llm_stream_broke"),
            )
            await stream.begin(candidate.timeouts)
            return stream

        return await self._first_success(candidates, request, deadline, attempt, [] if sent_to is None else sent_to)

    async def complete(
        self,
        task: TaskName,
        request: ChatRequest,
        model_name: str | None = None,
        sent_to: list[Candidate] | None = None,
    ) -> Completion:
        """Return a complete answer. The arguments are those of `open_stream`.

        Raises:
            LLMError: There is no answer. After fallbacks, it is the error of the first candidate.
        """
        candidates = self.candidates(task, model_name, request.params)
        deadline = _deadline(candidates, request)

        async def attempt(candidate: Candidate) -> Completion:
            provider = self.providers[candidate.provider]
            breaker = self.breakers.get(candidate.provider)
            try:
                async with deadline.within(candidate.timeouts.total_s).bound(provider.name):
                    reply = await provider.complete(self._for(candidate, request), candidate.call)
            except ProviderError as error:
                if breaker and error.counts:
                    breaker.failed()
                raise
            if breaker:
                breaker.succeeded()
            content = clean(reply.content)
            text_bytes = len(content.encode())
            if text_bytes > MAX_ANSWER_BYTES:
                raise UpstreamFailedError(provider.name, "the answer is too long")
            usage = plausible_usage(reply.usage, request.messages, text_bytes)
            return Completion(content, usage, candidate.call.name, provider.name, provider.simulated)

        return await self._first_success(candidates, request, deadline, attempt, [] if sent_to is None else sent_to)

    def _for(self, candidate: Candidate, request: ChatRequest) -> ChatRequest:
        fault = None if self.access.production else request.fault
        return replace(request, params=candidate.params, fault=fault)

    async def _first_success(
        self,
        candidates: list[Candidate],
        request: ChatRequest,
        deadline: Deadline,
        attempt: Callable[[Candidate], Awaitable[T]],
        sent_to: list[Candidate],
    ) -> T:
        """Call the candidates in order. A retryable failure is retried once per request."""
        retries = self.config.settings.max_retries
        first_error: ProviderError | None = None
        for candidate in candidates:
            while True:
                # Record it before the call, because a cancelled call has also received the prompt.
                sent_to.append(candidate)
                try:
                    return await self._through_breaker(candidate, attempt)
                except ProviderError as error:
                    if not error.took_prompt:
                        sent_to.pop()
                    _log_failure(candidate, request, error)
                    first_error = first_error or error
                    if not error.falls_back or deadline.passed:
                        raise first_error from None
                    if not (error.retryable and retries):
                        break
                retries -= 1
                await asyncio.sleep(random.uniform(*RETRY_PAUSE_S))  # noqa: S311  # no secret
        assert first_error is not None  # noqa: S101  # there is at least one candidate, and each failed
        raise first_error

    async def _through_breaker(self, candidate: Candidate, attempt: Callable[[Candidate], Awaitable[T]]) -> T:
        breaker = self.breakers.get(candidate.provider)
        if breaker is None:
            return await attempt(candidate)
        breaker.enter()
        try:
            return await attempt(candidate)
        except BaseException:
            # The breaker already knows failures. A cancelled call or a refused request must not block the next trial.
            breaker.left()
            raise


def _deadline(candidates: list[Candidate], request: ChatRequest) -> Deadline:
    """Return the time limit of all attempts: that of the slowest candidate, or less if the client requests it."""
    return Deadline.after(max(candidate.timeouts.total_s for candidate in candidates), request.timeout_s)


def _log_failure(
    candidate: Candidate, request: ChatRequest, error: ProviderError, event: str = "llm_attempt_failed"
) -> None:
    """Log the reason without the text of the request or the answer."""
    log.warning(
        event,
        provider=candidate.provider,
        model=candidate.call.name,
        code=error.code,
        diagnostic=error.diagnostic,
        llm_request_id=request.request_id,
    )
