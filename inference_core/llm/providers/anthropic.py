"""The Messages API of Anthropic with Anthropic's own client. It needs the extra `anthropic`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
from pydantic import SecretStr

from inference_core.llm import errors
from inference_core.llm.providers.collect import collect
from inference_core.llm.providers.failures import STATUS_OF_CODE, http_failure
from inference_core.llm.providers.network import CLIENT_EXCEPTIONS, http_client, network_errors
from inference_core.llm.tokens import reported_usage
from inference_core.llm.types import SIGN_OF_LIFE, ChatRequest, ModelCall, ProviderItem, Reply, Token

BASE_URL = "https://api.anthropic.com"
# The API requires a limit in every request.
DEFAULT_MAX_TOKENS = 1024
# At DEBUG, the client logs complete requests, including prompts.
logging.getLogger("anthropic").setLevel(logging.INFO)


class AnthropicProvider:
    """Claude, at Anthropic or at a server with the same API."""

    simulated = False

    def __init__(self, name: str, key: SecretStr, *, connect_s: float, base_url: str | None = None) -> None:
        self.name = name
        self._client = anthropic.AsyncAnthropic(
            api_key=key.get_secret_value(),
            base_url=base_url or BASE_URL,
            max_retries=0,
            http_client=http_client(base_url or BASE_URL, connect_s),
        )

    async def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[ProviderItem, None]:
        """Yield the pieces of text as they arrive, then the usage."""
        input_tokens, output_tokens, characters, finished = 0, 0, 0, False
        with _errors(self.name):
            async with await self._client.messages.create(**_body(request, call), stream=True) as events:
                async for event in events:
                    if event.type == "message_start":
                        input_tokens = _input_tokens(event.message.usage)
                    elif event.type == "message_delta":
                        output_tokens = event.usage.output_tokens
                    elif event.type == "message_stop":
                        finished = True
                    text = _text(event)
                    characters += len(text)
                    yield Token(text) if text else SIGN_OF_LIFE
        if not finished:
            raise errors.UpstreamFailedError(self.name, "the stream ended before the answer was complete")
        yield reported_usage(request.messages, input_tokens, output_tokens, characters)

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        """Return the complete answer. It is read as a stream, because the API ends long waits for complete answers."""
        return await collect(self.stream(request, call))

    async def models(self) -> list[str]:
        """Return the models that the API lists."""
        with _errors(self.name):
            return [model.id async for model in self._client.models.list()]

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()


def _body(request: ChatRequest, call: ModelCall) -> dict[str, Any]:
    system = "\n\n".join(message.content for message in request.messages if message.role == "system")
    turns = [
        {"role": message.role, "content": message.content} for message in request.messages if message.role != "system"
    ]
    return {
        "model": call.upstream,
        "messages": turns,
        **({"system": system} if system else {}),
        "max_tokens": call.parameters.get("max_tokens", DEFAULT_MAX_TOKENS),
        # The client has no arguments for sampling parameters that only older models support.
        "extra_body": {name: value for name, value in call.parameters.items() if name != "max_tokens"},
    }


def _text(event: anthropic.types.RawMessageStreamEvent) -> str:
    """Return the text of an event. The client does not check its type.

    Raises:
        TypeError: The value is not text.
    """
    if event.type != "content_block_delta" or event.delta.type != "text_delta" or not event.delta.text:
        return ""
    text: object = event.delta.text
    if not isinstance(text, str):
        raise TypeError(type(text).__name__)
    return text


def _input_tokens(usage: anthropic.types.Usage) -> int:
    """Return the number of tokens of the prompt, including those read from or written to a cache."""
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return usage.input_tokens + cached


@contextmanager
def _errors(provider: str) -> Iterator[None]:
    with network_errors(provider):
        try:
            yield
        except anthropic.APIStatusError as error:
            status = error.status_code if error.status_code >= 300 else STATUS_OF_CODE.get(error.type, 500)
            raise http_failure(provider, status, error.response.headers, error.type, error.api_message) from None
        except anthropic.APIConnectionError as error:
            # The wrapped error contains the cause.
            if error.__cause__ is None:
                raise errors.UpstreamFailedError(provider, type(error).__name__) from None
            raise error.__cause__ from None
        except (anthropic.AnthropicError, *CLIENT_EXCEPTIONS) as error:
            raise errors.UpstreamFailedError(provider, type(error).__name__) from None
