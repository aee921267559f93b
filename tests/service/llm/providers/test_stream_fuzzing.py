"""Random changes of real responses: complete if any client can read them, else one error of the service.

The examples are the same in every run; `FUZZ_EXAMPLES=5000 pytest --timeout 0` tries more of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from inference_core.llm.errors import ProviderError
from tests.service.llm.providers import wires
from tests.service.llm.providers.in_process import CALL, REQUEST, answering, provider_of, reaching, read
from tests.service.llm.providers.server_shapes import SAY_NO_USAGE, SHAPES, Chunk, Shape, choice, chunk, whole

# One process imports the vendors' clients, which takes seconds.
pytestmark = pytest.mark.xdist_group("vendors")

# Not into the working tree.
set_hypothesis_home_dir(tempfile.gettempdir() + "/hypothesis")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", settings.default.max_examples * 3 // 2))
deterministic = settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None)
TEXTS = st.lists(
    st.text(st.sampled_from('ab \n\r\t"\\:{}[],\u2028\u0085é青😀\u200b'), min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)
HARMLESS_EVENTS = (
    b": OPENROUTER PROCESSING\n\n",
    b":\n\n",
    b"\n\n",
    b"retry: 3000\nid: 7\n\n",
    b"event: ping\ndata: whatever\n\n",
    b"data: \n\n",
    b"data: null\n\n",
    b"data: {}\n\n",
    b"data: %s\n\n" % json.dumps(chunk([])).encode(),
    b"data: %s\n\n" % json.dumps(chunk(None)).encode(),
    b"data: %s\n\n" % json.dumps(chunk([None])).encode(),
    b"data: %s\n\n" % json.dumps(chunk([choice(None)])).encode(),
    b"data: %s\n\n" % json.dumps(chunk([{"index": 0}])).encode(),
    b"data: %s\n\n" % json.dumps(chunk([choice({"reasoning_content": "hm"})])).encode(),
    b"data: %s\n\n" % json.dumps(chunk([choice({"content": None, "thinking": "hm"})])).encode(),
    b"data: %s\n\n" % json.dumps(chunk([choice({"content": []})])).encode(),
    b"data: %s\n\n" % json.dumps(chunk([], usage=None, error=None)).encode(),
)
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 0, -1, 3.5, 1e400, 10**30, "", "x", "\ud83d", [], {}]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["text", "content", "x"]), inner),
    max_leaves=3,
)
ERRORS = (
    {"error": {"message": "m", "type": "server_error", "code": None}},
    {"error": {"message": "m", "code": 429}},
    {"error": {"message": "maximum context length", "code": "400"}},
    {"error": "overloaded"},
    {"object": "error", "message": "m", "code": 400},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]},
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def encoded(value: Chunk, draw: Any) -> bytes:
    """An event: compact or over several lines, with or without the space after the colon."""
    lines = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))).split("\n")
    colon = draw(st.sampled_from(["data: ", "data:"]))
    return "".join(f"{colon}{line}\n" for line in lines).encode("utf-8", "surrogatepass") + b"\n"


def cut(whole: bytes, draw: Any) -> list[bytes]:
    """In pieces, at any byte."""
    size = draw(st.sampled_from([1, 2, 3, 7, 64, 100_000]))
    return [whole[at : at + size] for at in range(0, len(whole), size)]


@st.composite
def sound_streams(draw: Any) -> tuple[Shape, str, list[bytes], str | None]:
    """What a server may send that every client reads: the shape, the text, the bytes, their type."""
    shape, pieces = draw(st.sampled_from(SHAPES)), draw(TEXTS)
    events = [encoded(value, draw) for value in shape(pieces)]
    for extra in draw(st.lists(st.sampled_from(HARMLESS_EVENTS), max_size=4)):
        events.insert(draw(st.integers(0, len(events))), extra)
    events += [b"data: [DONE]\n\n"] * draw(st.integers(0, 2))
    whole = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + b"".join(events)
    end_of_line = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    whole = whole.replace(b"\n", end_of_line)
    if draw(st.booleans()):
        whole = whole.removesuffix(end_of_line)
    kind = draw(st.sampled_from(["text/event-stream", "text/event-stream; charset=utf-8", "text/plain", None]))
    return shape, "".join(pieces), cut(whole, draw), kind


@deterministic
@given(sound_streams())
def test_what_every_client_reads_is_read_whole(
    runner: asyncio.Runner, stream: tuple[Shape, str, list[bytes], str | None]
) -> None:
    shape, text, pieces, kind = stream
    reading = runner.run(read(provider_of(answering(pieces, content_type=kind))))
    assert reading.text == text
    if shape in SAY_NO_USAGE:
        assert reading.usage.estimated
        assert 1 <= reading.usage.output_tokens <= len(text)
    else:
        usage = reading.usage
        assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (19, 13, False)
    assert reading.failures == 0


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(values: list[Chunk], draw: Any) -> list[Chunk]:
    """A copy with one to three values, anywhere, replaced, left out, or of another name."""
    values = json.loads(json.dumps(values))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([*places(values), (0,)]))
        parent: Any = values
        for step in way:
            parent = parent[step]
        how = draw(st.sampled_from(["replace", "leave out", "rename"]))
        if how == "replace":
            parent[last] = draw(JUNK)
        elif len(parent) > 1 or way:
            kept = parent.pop(last)
            if how == "rename" and isinstance(parent, dict):
                parent[f"{last}2"] = kept
        if not values:
            break
    return values


@st.composite
def broken_streams(draw: Any) -> list[bytes]:
    """What a server may send by mistake: values of a wrong type, errors in the middle, cut off, repeated, not JSON."""
    events = [encoded(value, draw) for value in changed(draw(st.sampled_from(SHAPES))(draw(TEXTS)), draw)]
    for extra in draw(st.lists(st.sampled_from(ERRORS), max_size=1)):
        events.insert(draw(st.integers(0, len(events))), encoded(extra, draw))
    for junk in draw(st.lists(st.sampled_from([b"data: {\n\n", b"data: 5\n\n", b"{}\n\n", b"\xff\n\n"]), max_size=1)):
        events.insert(draw(st.integers(0, len(events))), junk)
    events += [b"data: [DONE]\n\n"] * draw(st.integers(0, 1))
    whole = b"".join(events)
    return cut(whole[: draw(st.sampled_from([None, -1, len(whole) // 2]))], draw)


@deterministic
@given(broken_streams())
def test_a_broken_stream_is_an_answer_or_an_error_of_the_provider(runner: asyncio.Runner, pieces: list[bytes]) -> None:
    reading = runner.run(read(provider_of(answering(pieces))))
    if reading.error is None:
        assert reading.usage.output_tokens > 0 or not reading.text
        assert 0 < reading.usage.input_tokens <= 100_000_000
    assert reading.failures == (reading.error is not None and reading.error.counts)


@st.composite
def whole_answers(draw: Any) -> tuple[str, Chunk]:
    """An answer in one piece, in the ways that servers write it."""
    text = "".join(draw(TEXTS))
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    content: Any = draw(st.sampled_from([text, [{"type": "text", "text": text}], [thinking, {"text": text}, "", None]]))
    body = whole(text)
    body["choices"][0]["message"]["content"] = content
    if draw(st.booleans()):
        body["choices"][0]["usage"] = body.pop("usage")
    body["choices"] = [*draw(st.sampled_from([[], [None]])), *body["choices"]]
    return text, body


@deterministic
@given(whole_answers(), st.sampled_from([b"", b"\xef\xbb\xbf", b"\n \n"]), st.booleans())
def test_a_whole_answer_is_read_whatever_its_shape_even_where_a_stream_was_wanted(
    runner: asyncio.Runner, answer: tuple[str, Chunk], before: bytes, is_stream: bool
) -> None:
    text, body = answer
    provider = provider_of(answering([before + json.dumps(body).encode()], content_type="application/json"))
    if is_stream:
        reading = runner.run(read(provider))
        assert (reading.text, reading.usage.output_tokens) == (text, 13)
    else:
        reply = runner.run(provider.complete(REQUEST, CALL))
        assert (reply.content, reply.usage.input_tokens, reply.usage.estimated) == (text, 19, False)


@deterministic
@given(st.data())
def test_a_broken_whole_answer_is_an_answer_or_an_error_of_the_provider(
    runner: asyncio.Runner, data: st.DataObject
) -> None:
    values = changed([whole("text"), *data.draw(st.lists(st.sampled_from(ERRORS), max_size=1))], data.draw)
    body = json.dumps(values[-1] if values else None).encode()[: data.draw(st.sampled_from([None, -1, 40]))]
    status = data.draw(st.sampled_from([200, 200, 200, 400, 404, 413, 422, 429, 500, 503]))
    provider = provider_of(answering([body], status, "application/json"))
    try:
        reply = runner.run(provider.complete(REQUEST, CALL))
    except ProviderError:
        return
    assert status == 200
    assert isinstance(reply.content, str)
    assert reply.usage.output_tokens > 0 or not reply.content


@pytest.mark.parametrize("vendor", ["anthropic", "gemini"])
def test_the_vendors_own_clients_fail_as_providers_only(runner: asyncio.Runner, vendor: str) -> None:
    wire = next(wire for wire in wires.WIRES if wire.name == vendor)
    sound = [json.loads(event.partition(b"data: ")[2]) for event in wire.stream()]
    answers: list[list[bytes]] = []

    def next_answer(request: httpx2.Request) -> httpx2.Response:
        return answering(answers.pop())(request)

    with reaching(next_answer, "openai_compatible", "anthropic", "gemini"):
        provider = wire.provider("http://127.0.0.1:9")

    @deterministic
    @given(st.data())
    def one(data: st.DataObject) -> None:
        events = []
        for value in changed(sound, data.draw):
            name = value.get("type") if isinstance(value, dict) else None
            head = f"event: {name}\n".encode("utf-8", "replace") if vendor == "anthropic" else b""
            events.append(head + b"data: " + json.dumps(value).encode() + b"\n\n")
        answers.append(cut(b"".join(events), data.draw))
        reading = runner.run(read(provider))
        if reading.error is None:
            assert reading.usage.output_tokens > 0 or not reading.text
        assert reading.failures == (reading.error is not None and reading.error.counts)

    one()
    runner.run(provider.aclose())
