"""A running stream of a provider, with time limits between its items, and with the provider's circuit breaker."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Self

from inference_core.core.text import PieceCleaner
from inference_core.llm.config.schema import Timeouts
from inference_core.llm.errors import Phase, ProviderError, UpstreamFailedError
from inference_core.llm.gateway.breaker import CircuitBreaker
from inference_core.llm.gateway.candidates import Candidate
from inference_core.llm.gateway.time_limits import Deadline, WaitTimer
from inference_core.llm.tokens import MAX_ANSWER_BYTES, plausible_usage
from inference_core.llm.types import SIGN_OF_LIFE, Message, Provider, ProviderItem, StreamItem, Token, Usage


class OpenStream:
    """An iterator over the items of an answer, each once and in order. The last item is the usage.

    The text is clean (see `inference_core.core.text`), and the usage is plausible. The next item is requested from the
    provider only when the reader requests it. Iterating raises `ProviderError` if the provider breaks off, exceeds a
    time limit, or sends an answer that is too long. After a failure that follows the first item, `on_break` is called
    once. Close the stream with `aclose` or as a context manager, at the latest when the client disconnects.

    Attributes:
        model: The configured name of the model.
        provider: The name of the provider.
        simulated: Whether the simulator generates the answer.
        text_bytes: The length of the text so far, in UTF-8.
    """

    def __init__(
        self,
        candidate: Candidate,
        provider: Provider,
        items: AsyncGenerator[ProviderItem, None],
        *,
        deadline: Deadline,
        breaker: CircuitBreaker | None,
        messages: tuple[Message, ...],
        on_break: Callable[[ProviderError], None],
    ) -> None:
        self.model = candidate.call.name
        self.provider = provider.name
        self.simulated = provider.simulated
        self._items = items
        self._timer = WaitTimer(provider.name, deadline)
        self._breaker = breaker
        self._on_break = on_break
        self._between_tokens_s = 0.0
        # An item that was read but not returned yet.
        self._ahead: StreamItem | None = None
        self._messages = messages
        self._text = PieceCleaner()
        self.text_bytes = 0

    async def begin(self, timeouts: Timeouts) -> None:
        """Wait for the first item. After a failure or a cancellation, the call of the provider has ended."""
        self._between_tokens_s = timeouts.between_tokens_s
        self._ahead = await self._next(timeouts.first_token_s, "first_token")
        if self._breaker:
            self._breaker.answered()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamItem:
        while True:
            if self._ahead is not None:
                item, self._ahead = self._ahead, None
            else:
                item = await self._next(self._between_tokens_s, "between_tokens")
            if isinstance(item, Usage):
                if not (rest := self._text.end()):
                    return plausible_usage(item, self._messages, self.text_bytes)
                self._ahead = item
                item = Token(rest)
                text = rest
            else:
                text = self._text.feed(item.content)
            if text:
                self._count(text)
                return item if text is item.content else Token(text, item.planned_ms)

    def _count(self, text: str) -> None:
        self.text_bytes += len(text) if text.isascii() else len(text.encode())
        if self.text_bytes > MAX_ANSWER_BYTES:
            error = UpstreamFailedError(self.provider, "the answer is too long")
            self._failed(error, "between_tokens")
            raise error

    async def _next(self, limit_s: float, phase: Phase) -> StreamItem:
        # After an exception here, the provider's generator has ended, and with it its connection.
        try:
            while (item := await self._timer.wait(anext(self._items), limit_s, phase)) is SIGN_OF_LIFE:
                pass
        except BaseException as error:
            self._timer.end()
            if isinstance(error, ProviderError):
                self._failed(error, phase)
            raise
        if isinstance(item, Usage):
            self._timer.end()
            if self._breaker:
                self._breaker.succeeded()
        return item

    def _failed(self, error: ProviderError, phase: Phase) -> None:
        if self._breaker and error.counts:
            self._breaker.failed()
        if phase == "between_tokens":  # the caller of `begin` gets a failure before the first token
            self._on_break(error)

    async def aclose(self) -> None:
        """End the call of the provider. Further calls do nothing."""
        self._timer.end()
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
