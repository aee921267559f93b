"""The native clients of vendors: parameters, environment, and missing packages."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from inference_core.llm import errors
from inference_core.llm.config.loader import parse_llm_config
from inference_core.llm.config.policies import apply_policy, effective_policy
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.types import ChatRequest, Message, ModelCall, SamplingParams, Usage
from tests.service.llm.providers.wires import (
    SECRET,
    anthropic_event,
    anthropic_stream,
    data,
    gemini_chunk,
    gemini_stream,
)
from tests.support.settings import Settings
from tests.support.stack import ROOT
from tests.support.wire_server import Script, WireServer, wire_server

# One process imports the vendors' clients, which takes seconds.
pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("vendors")]

REQUEST = ChatRequest(
    (Message("system", "Be brief."), Message("user", "why?"), Message("assistant", "Hm."), Message("user", "well?"))
)

CONFIG = """
providers:
  anthropic: {{api_key_env: A_KEY, base_url: "{url}"}}
  google: {{kind: gemini, api_key_env: G_KEY, base_url: "{url}"}}
models:
  claude: {{provider: anthropic, model: claude-x}}
  gem: {{provider: google, model: gemini-x}}
tasks:
  explain: {{primary: claude}}
"""
KEYS = {"A_KEY": "sk-a", "G_KEY": "g-key"}


def settings() -> Settings:
    return Settings(_env_file=None, environment="development")


def claude(server: WireServer) -> Any:
    from inference_core.llm.providers.anthropic import AnthropicProvider

    return AnthropicProvider("anthropic", SecretStr(SECRET), base_url=server.url, connect_s=5)


def gemini(server: WireServer) -> Any:
    from inference_core.llm.providers.gemini import GeminiProvider

    return GeminiProvider("google", SecretStr(SECRET), base_url=server.url, connect_s=5)


async def test_claude_gets_the_system_prompt_by_itself_and_always_a_limit() -> None:
    async with wire_server(Script(anthropic_stream())) as server:
        provider = claude(server)
        reply = await provider.complete(REQUEST, ModelCall("m", "claude-x", {"temperature": 0.2}))
        assert reply.usage == Usage(11, 7)
        await provider.complete(REQUEST, ModelCall("m", "claude-x", {"max_tokens": 9}))
        await provider.aclose()
    first, second = (request.json for request in server.requests)
    assert first["system"] == "Be brief."
    assert [turn["role"] for turn in first["messages"]] == ["user", "assistant", "user"]
    assert (first["max_tokens"], first["temperature"], second["max_tokens"]) == (1024, 0.2, 9)
    assert server.requests[0].path == "/v1/messages"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", errors.UpstreamUnavailableError),
        ("rate_limit_error", errors.ProviderRateLimitedError),
        ("api_error", errors.UpstreamFailedError),
        ("something_new", errors.UpstreamFailedError),
    ],
)
async def test_claudes_error_inside_a_stream_has_the_meaning_of_its_type(
    kind: str, expected: type[errors.ProviderError]
) -> None:
    error = anthropic_event("error", error={"type": kind, "message": "?"})
    async with wire_server(Script([anthropic_stream()[0], error])) as server:
        provider = claude(server)
        with pytest.raises(expected) as raised:
            await provider.complete(REQUEST, ModelCall("m", "m"))
        assert type(raised.value) is expected
        await provider.aclose()


async def test_the_surroundings_cannot_send_claudes_key_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire_server(Script(anthropic_stream())) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "another")
        monkeypatch.setenv("GOOGLE_API_KEY", "another")
        config = parse_llm_config(CONFIG.format(url="http://127.0.0.1:9"), "llm.yaml", KEYS)
        async with Gateway.open(settings(), config, KEYS) as gateway:
            for model in ("claude", "gem"):
                with pytest.raises(errors.UpstreamUnavailableError):
                    await gateway.complete("explain", ChatRequest((Message("user", "why?"),)), model)
        assert server.connections == 0


async def test_gemini_gets_roles_and_parameters_in_its_own_words() -> None:
    config = parse_llm_config(CONFIG.format(url="http://127.0.0.1:9"), "llm.yaml", KEYS)
    params = SamplingParams(temperature=0.5, max_tokens=9, top_p=0.9, frequency_penalty=0.1, presence_penalty=0.2)
    _, sent = apply_policy(effective_policy(config, "google", "gem"), params, "gem")
    async with wire_server(Script(gemini_stream())) as server:
        provider = gemini(server)
        reply = await provider.complete(REQUEST, ModelCall("gem", "gemini-x", sent))
        await provider.aclose()
    assert reply.usage == Usage(11, 7)
    (request,) = server.requests
    assert request.path.endswith("/models/gemini-x:streamGenerateContent?alt=sse")
    assert [turn["role"] for turn in request.json["contents"]] == ["user", "model", "user"]
    assert request.json["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert request.json["generationConfig"] == {
        "temperature": 0.5,
        "maxOutputTokens": 9,
        "topP": 0.9,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
    }


async def test_geminis_thoughts_are_left_out_and_a_blocked_prompt_is_an_end() -> None:
    thought = data({"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "So"}]}}]})
    blocked = data({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}})
    async with wire_server(Script([thought, gemini_chunk(".", finishReason="STOP")]), Script([blocked])) as server:
        provider = gemini(server)
        assert (await provider.complete(REQUEST, ModelCall("g", "g"))).content == "So."
        reply = await provider.complete(REQUEST, ModelCall("g", "g"))
        assert (reply.content, reply.usage) == ("", Usage(4, 0))
        await provider.aclose()


async def test_the_gateway_reaches_both() -> None:
    async with wire_server(Script(anthropic_stream()), Script(gemini_stream())) as server:
        config = parse_llm_config(CONFIG.format(url=server.url), "llm.yaml", KEYS)
        async with Gateway.open(settings(), config, KEYS) as gateway:
            for model, provider in (("claude", "anthropic"), ("gem", "google")):
                completion = await gateway.complete("explain", ChatRequest((Message("user", "why?"),)), model)
                assert completion.content == "The sky is blue — 青い."
                assert (completion.provider, completion.simulated) == (provider, False)


@pytest.mark.full
def test_no_vendors_client_is_imported_before_it_is_configured() -> None:
    code = (
        "import sys, inference_core.app.application, inference_core.llm.gateway.gateway, inference_core.core.queue.app;"
        "print([name for name in ('anthropic', 'google.genai', 'openai') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
