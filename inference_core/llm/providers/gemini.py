"""The Gemini API of Google with Google's own client. It needs the extra `gemini`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx2
from google import genai
from google.genai import errors as gemini_errors
from google.genai import types
from pydantic import SecretStr

from inference_core.llm import errors
from inference_core.llm.providers.collect import collect
from inference_core.llm.providers.failures import http_failure
from inference_core.llm.providers.network import CLIENT_EXCEPTIONS, http_client, network_errors
from inference_core.llm.tokens import reported_usage
from inference_core.llm.types import SIGN_OF_LIFE, ChatRequest, ModelCall, ProviderItem, Reply, Token

BASE_URL = "https://generativelanguage.googleapis.com"


# The responses that the client opens. It does not close them itself if a stream is left early.
_opened: ContextVar[list[httpx2.Response] | None] = ContextVar("opened", default=None)


class GeminiProvider:
    """Gemini, at Google or at a server with the same API."""

    simulated = False

    def __init__(self, name: str, key: SecretStr, *, connect_s: float, base_url: str | None = None) -> None:
        self.name = name
        self._http = http_client(base_url or BASE_URL, connect_s)
        self._http.event_hooks["response"].append(_note)
        # It is not used, but otherwise the client would create one that reads the proxies of the environment.
        self._unused = httpx2.Client(trust_env=False)
        options = types.HttpOptions(
            base_url=base_url or BASE_URL, httpx_async_client=self._http, httpx_client=self._unused
        )
        self._client = genai.Client(api_key=key.get_secret_value(), vertexai=False, http_options=options)

    async def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[ProviderItem, None]:
        """Yield the pieces of text as they arrive, then the usage."""
        finished, characters = False, 0
        counts: tuple[object, object] = (None, None)
        opened: list[httpx2.Response] = []
        with _errors(self.name):
            try:
                responses = await self._begin(request, call, opened)
                async for response in responses:
                    counts = _counts(response) or counts
                    finished = finished or _is_last(response)
                    text = _text(response)
                    characters += len(text)
                    yield Token(text) if text else SIGN_OF_LIFE
            finally:
                for answer in opened:
                    await answer.aclose()
        if not finished:
            raise errors.UpstreamFailedError(self.name, "the stream ended before the answer was complete")
        yield reported_usage(request.messages, *counts, characters)

    async def _begin(
        self, request: ChatRequest, call: ModelCall, opened: list[httpx2.Response]
    ) -> AsyncIterator[types.GenerateContentResponse]:
        """Make the call and wait for its first piece, so that `opened` contains every response that it opens."""
        token = _opened.set(opened)
        try:
            responses = await self._client.aio.models.generate_content_stream(
                model=call.upstream, contents=_contents(request), config=_config(request, call)
            )
            first = await anext(responses, None)
        finally:
            _opened.reset(token)
        return _chain(first, responses)

    async def complete(self, request: ChatRequest, call: ModelCall) -> Reply:
        """Return the complete answer."""
        return await collect(self.stream(request, call))

    async def models(self) -> list[str]:
        """Return the models that the API lists, without the prefix of their names."""
        with _errors(self.name):
            pages = await self._client.aio.models.list()
            return [(model.name or "").removeprefix("models/") async for model in pages]

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aio.aclose()
        self._client.close()
        self._unused.close()
        await self._http.aclose()


async def _chain(
    first: types.GenerateContentResponse | None, rest: AsyncIterator[types.GenerateContentResponse]
) -> AsyncIterator[types.GenerateContentResponse]:
    if first is not None:
        yield first
        async for response in rest:
            yield response


async def _note(response: httpx2.Response) -> None:
    if (opened := _opened.get()) is not None:
        opened.append(response)


def _contents(request: ChatRequest) -> list[types.ContentUnion]:
    role = {"user": "user", "assistant": "model"}
    return [
        types.Content(role=role[message.role], parts=[types.Part(text=message.content)])
        for message in request.messages
        if message.role != "system"
    ]


def _config(request: ChatRequest, call: ModelCall) -> types.GenerateContentConfig:
    system = "\n\n".join(message.content for message in request.messages if message.role == "system")
    return types.GenerateContentConfig.model_validate(
        {**call.parameters, **({"system_instruction": system} if system else {}), "automatic_continuation": False}
    )


def _text(response: types.GenerateContentResponse) -> str:
    candidate = response.candidates[0] if response.candidates else None
    parts = candidate.content.parts if candidate and candidate.content else None
    return "".join(part.text for part in parts or [] if part.text and not part.thought)


def _is_last(response: types.GenerateContentResponse) -> bool:
    """Return whether the answer ends here. A refused prompt has a reason but no candidate."""
    refused = response.prompt_feedback is not None and response.prompt_feedback.block_reason is not None
    return refused or bool(response.candidates and response.candidates[0].finish_reason)


def _counts(response: types.GenerateContentResponse) -> tuple[int, int] | None:
    counted = response.usage_metadata
    if counted is None:
        return None
    output_tokens = (counted.candidates_token_count or 0) + (counted.thoughts_token_count or 0)
    return counted.prompt_token_count or 0, output_tokens


@contextmanager
def _errors(provider: str) -> Iterator[None]:
    with network_errors(provider):
        try:
            yield
        except gemini_errors.APIError as error:
            headers = getattr(error.response, "headers", None) or {}
            raise http_failure(provider, int(error.code), headers, error.status, error.message) from None
        except CLIENT_EXCEPTIONS as error:
            raise errors.UpstreamFailedError(provider, type(error).__name__) from None
