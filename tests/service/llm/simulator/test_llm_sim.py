"""`inference-core llm-sim` with the official client and with our own: answers, errors, faults and load."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from inference_core.llm import errors
from inference_core.llm.providers.openai_compatible import OpenAICompatibleProvider
from inference_core.llm.simulator.plan import make_plan
from inference_core.llm.simulator.speeds import SPEEDS
from inference_core.llm.types import (
    SIGN_OF_LIFE,
    ChatRequest,
    Message,
    ModelCall,
    SamplingParams,
    StreamItem,
    Token,
    Usage,
)
from tests.support.processes import stop, wait_until
from tests.support.stack import ROOT

if TYPE_CHECKING:
    import openai  # where it is used, because it takes seconds to import

pytestmark = pytest.mark.anyio

COMMAND = [str(ROOT / ".venv/bin/inference-core"), "llm-sim"]
ASK: dict[str, Any] = {"model": "any-name", "messages": [{"role": "user", "content": "why?"}]}
REQUEST = ChatRequest((Message("user", "why?"),))
CALL = ModelCall("any-name", "any-name")


@contextmanager
def simulator(folder: Path, *options: str) -> Iterator[str]:
    """A running `llm-sim` on a free port; gives its base URL."""
    output = folder / "llm-sim.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen([*COMMAND, "--port", "0", *options], stdout=stream, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: process.poll() is not None or output.read_text().endswith("/v1\n"), within_s=60)
            assert process.poll() is None, output.read_text()
            yield output.read_text().strip()
        finally:
            stop(process)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with simulator(tmp_path_factory.mktemp("sim"), "--speed", "fast", "--seed", "3") as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
async def own(url: str) -> AsyncIterator[OpenAICompatibleProvider]:
    provider = OpenAICompatibleProvider("sim", url, None, connect_s=5, simulator=True)
    yield provider
    await provider.aclose()


async def read(provider: OpenAICompatibleProvider, request: ChatRequest = REQUEST) -> list[StreamItem]:
    async with asyncio.timeout(30):
        return [item async for item in provider.stream(request, CALL)]


async def test_the_official_client_streams_from_it(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    *body, last = chunks
    plan = make_plan(3, REQUEST, "any-name", SPEEDS["fast"])
    # Another process with the same seed: the same stream.
    assert [chunk.choices[0].delta.content for chunk in body if chunk.choices[0].delta.content] == list(plan.tokens)
    assert body[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in body if chunk.choices[0].finish_reason] == ["stop"]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (1, len(plan.tokens))
    assert {chunk.model for chunk in chunks} == {"any-name"}
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_official_client_gets_whole_answers_and_the_list_of_models(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(**ASK, max_tokens=4)
    assert answer.choices[0].message.content == "This is a simulated"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5
    assert [model.id async for model in client.models.list()] == ["simulated"]


async def test_messages_may_come_in_parts_and_under_newer_names(client: openai.AsyncOpenAI) -> None:
    parts: Any = [{"type": "text", "text": "wh"}, {"type": "text", "text": "y?"}]
    messages: Any = [{"role": "developer", "content": "brief"}, {"role": "user", "content": parts}]
    answer = await client.chat.completions.create(model="m", messages=messages, max_completion_tokens=2)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 2)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("rate_limited:7", 429, "rate_limit_exceeded"),
        ("auth_failed", 401, "invalid_api_key"),
        ("context_too_long", 400, "context_length_exceeded"),
        ("server_error", 500, "internal_error"),
        ("unavailable", 503, "unavailable"),
        ("model_not_found", 404, "model_not_found"),
        ("explode", 400, "bad_fault"),
    ],
)
async def test_faults_are_errors_in_openais_shape(
    client: openai.AsyncOpenAI, fault: str, status: int, code: str
) -> None:
    import openai

    with pytest.raises(openai.APIStatusError) as raised:
        await client.chat.completions.create(**ASK, stream=True, extra_headers={"X-LLM-Fault": fault})
    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert raised.value.response.headers.get("retry-after") == (
        "7" if status == 429 else "1" if status == 503 else None
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        (ASK | {"max_tokens": 0}, "max_tokens"),
        (ASK | {"n": 2}, "n"),
        ({"model": "m", "messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"model": "m", "messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ("{", None),
    ],
)
async def test_a_bad_request_names_its_parameter(url: str, body: Any, param: str | None) -> None:
    async with httpx2.AsyncClient() as client:
        content = body if isinstance(body, str) else json.dumps(body)
        answer = await client.post(f"{url}/chat/completions", content=content)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        assert (await client.get(f"{url}/nothing")).json()["error"]["message"] == "Not Found"


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop", "e"),
        ("stop", ["e"]),
        ("tools", [TOOL]),
        ("tool_choice", "required"),
        ("tool_choice", {"type": "function", "function": {"name": "f"}}),
        ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"50256": -100}),
        ("n", 2),
        ("modalities", ["text", "audio"]),
        ("functions", [{"name": "f"}]),
        ("prediction", {"type": "content", "content": "x"}),
    ],
)
async def test_what_the_simulator_does_not_carry_out_is_refused_by_its_name(
    client: openai.AsyncOpenAI, name: str, value: Any
) -> None:
    import openai

    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(**ASK, stream=stream, extra_body={name: value})
        assert raised.value.param is not None
        assert raised.value.param.split(".")[0] == name


async def test_parameters_that_ask_for_nothing_are_taken(client: openai.AsyncOpenAI) -> None:
    nothing = {"stop": None, "tools": [], "tool_choice": "auto", "response_format": {"type": "text"}, "n": 1}
    more = {"logprobs": False, "logit_bias": {}, "modalities": ["text"], "seed": 3, "user": "u", "metadata": {"a": "b"}}
    answer = await client.chat.completions.create(**ASK, max_tokens=2, extra_body=nothing | more)
    assert answer.choices[0].message.content == "This is"


async def test_the_turns_of_a_tool_loop_are_taken_as_a_prompt(client: openai.AsyncOpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: Any = [
        {"role": "user", "content": "why?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12345678"},
    ]
    answer = await client.chat.completions.create(model="m", messages=messages, max_tokens=2)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 4


async def test_every_name_is_a_model(client: openai.AsyncOpenAI) -> None:
    for name in ("simulated", "meta-llama/Llama-3.1-8B"):
        assert (await client.models.retrieve(name)).id == name


async def test_our_own_provider_reads_it_with_the_planned_times(own: OpenAICompatibleProvider) -> None:
    began = time.monotonic()
    plan = make_plan(3, REQUEST, "any-name", SPEEDS["fast"])
    pieces: list[Token] = []
    usage: list[Usage] = []
    async for item in own.stream(REQUEST, CALL):
        if isinstance(item, Token):
            assert item.planned_ms is not None
            # Never before it was due; the event loop of the server counts in milliseconds.
            assert 1000 * (time.monotonic() - began) > item.planned_ms - 2
            pieces.append(item)
        elif item is not SIGN_OF_LIFE:
            usage.append(item)
    assert usage == [Usage(1, len(plan.tokens))]
    assert tuple(piece.content for piece in pieces) == plan.tokens
    planned = [piece.planned_ms or 0.0 for piece in pieces]
    assert planned == sorted(planned)
    # Alone on the machine: the plan itself, after what the request waited.
    assert planned[-1] - planned[0] == pytest.approx(plan.due_ms[-1] - plan.due_ms[0], abs=0.01)
    assert (await own.complete(REQUEST, CALL)).content == "".join(plan.tokens)
    assert await own.models() == ["simulated"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("connect_refused", errors.UpstreamUnavailableError),
        ("rate_limited:7", errors.ProviderRateLimitedError),
        ("auth_failed", errors.ProviderAuthError),
        ("context_too_long", errors.ContextTooLongError),
        ("server_error", errors.UpstreamFailedError),
        ("unavailable", errors.UpstreamUnavailableError),
        ("model_not_found", errors.ProviderModelNotFoundError),
        ("reset", errors.UpstreamFailedError),
        ("malformed", errors.UpstreamFailedError),
    ],
)
async def test_a_fault_over_the_network_is_the_error_it_is_inside(
    own: OpenAICompatibleProvider, fault: str, kind: type[errors.ProviderError]
) -> None:
    with pytest.raises(kind) as raised:
        await read(own, ChatRequest(REQUEST.messages, fault=fault))
    assert type(raised.value) is kind


async def test_a_client_that_leaves_frees_its_place_and_its_turn_in_the_queue(tmp_path: Path) -> None:
    options = ("--speed", "70b-h100", "--max-num-seqs", "1", "--max-queued", "1")
    with simulator(tmp_path, *options) as url:
        provider = OpenAICompatibleProvider("sim", url, None, connect_s=5, simulator=True)
        async with httpx2.AsyncClient() as client:

            async def load() -> tuple[int, int]:
                found = (await client.get(url.removesuffix("/v1") + "/health")).json()
                return found["running"], found["queued"]

            stream = provider.stream(REQUEST, CALL)
            await anext(stream)
            waiting = asyncio.ensure_future(read(provider, ChatRequest((Message("user", "next"),))))
            await until(load, (1, 1))
            with pytest.raises(errors.ProviderRateLimitedError):
                await read(provider)
            waiting.cancel()
            await until(load, (1, 0))
            await stream.aclose()
            await until(load, (0, 0))
        await provider.aclose()


async def until(load: Callable[[], Any], expected: tuple[int, int]) -> None:
    async with asyncio.timeout(20):
        while await load() != expected:  # noqa: ASYNC110  # what is watched is another process
            await asyncio.sleep(0.01)


@pytest.mark.full
async def test_two_hundred_streams_at_once_are_each_whole(own: OpenAICompatibleProvider) -> None:
    requests = [
        ChatRequest((Message("user", f"question {number}"),), SamplingParams(max_tokens=20)) for number in range(200)
    ]
    calls = ModelCall("m", "m", {"max_tokens": 20})

    async def one(request: ChatRequest) -> list[StreamItem]:
        return [item async for item in own.stream(request, calls)]

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*map(one, requests))
    for request, items in zip(requests, answers, strict=True):
        plan = make_plan(3, request, "m", SPEEDS["fast"])
        assert tuple(item.content for item in items if isinstance(item, Token)) == plan.tokens


def test_ctrl_c_ends_it_without_a_word(tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen([*COMMAND, "--port", "0"], stdout=stream, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: process.poll() is not None or output.read_text().endswith("/v1\n"), within_s=60)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) in (0, 130, -signal.SIGINT)
        finally:
            stop(process)
    assert len(output.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--speed", "warp"], "'warp' is not one of instant, fast, 8b-h100, 70b-h100, slow-reasoning"),
        (["--fault-rates", "reset"], "inference-core: 'reset' is not fault=share, such as rate_limited=0.01"),
    ],
)
def test_a_mistake_is_one_line(options: list[str], expected: str) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (1, 2)
    assert expected in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(url: str) -> None:
    port = url.rsplit(":", 1)[1].removesuffix("/v1")
    done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    reason = f"cannot listen on 127.0.0.1:{port} (Address already in use); try --port 0"
    assert done.stderr == f"inference-core: llm-sim: {reason}\n"


def test_the_simulator_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); "
        "import inference_core.llm.providers.simulated; "
        "names = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(names - sys.stdlib_module_names - {'inference_core'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
