"""Answers that JSON or a database cannot store unchanged, and usage that cannot be true."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from inference_core.llm.config.loader import BUILT_IN_FILE
from inference_core.llm.types import ChatRequest, ModelCall, StreamItem, Token, Usage
from inference_core.llm.worker.answering import answer
from tests.service.conftest import AppFactory
from tests.service.llm.routes.test_redelivery import job_of
from tests.support.accounts import Api, Tokens
from tests.support.llm import EndlessProvider, Event, config_file, kinds, parse_events, replace_provider, text_of
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio

CONFIG = """
models:
  small: {provider: local, price: {input_per_million_usd: PRICE, output_per_million_usd: 1}}
providers:
  local: {base_url: "http://127.0.0.1:9/v1", openai_compatible: true, simulator: true}
tasks:
  conversation: {primary: small}
settings:
  limits: {requests_per_minute: 0, concurrent_requests: 0, tokens_per_day: 0, concurrent_streams: 0}
"""


USAGE = Usage(30, 5)


class Speaker(EndlessProvider):
    """Says what it is told to say; remembers what it was asked."""

    simulated = False

    def __init__(self, pieces: Sequence[str], usage: Usage = USAGE) -> None:
        super().__init__()
        self.pieces = pieces
        self.usage = usage
        self.heard: list[str] = []

    async def stream(self, request: ChatRequest, call: ModelCall) -> AsyncGenerator[StreamItem, None]:
        self.heard = [message.content for message in request.messages]
        for piece in self.pieces:
            yield Token(piece)
        yield self.usage


def config(folder: Path, price: str = "1") -> Path:
    return config_file(folder, CONFIG.replace("PRICE", price))


async def ask(api: Api, tokens: Tokens, **body: Any) -> list[Event]:
    response = await api.post("/llm/conversation/stream", {"user_input": "Why?", **body}, tokens)
    assert response.status_code == 200, response.text
    return parse_events(response.text)


# As they come, and as they are read; \ud83e\udd89 is an owl.
TEXTS = [
    (["An \ud83e", "\udd89."], "An \U0001f989."),
    (["\ud83e", "\udd89", "\ud83e", "\udd89"], "\U0001f989\U0001f989"),
    (["\ud83e"], "\ufffd"),
    (["\udd89 and \ud83e", " then"], "\ufffd and \ufffd then"),
    (["\ud83e", "\ud83e", "\udd89"], "\ufffd\U0001f989"),
    (["a\0b", "\0", "c"], "abc"),
    (["\ufffe\uffff\U0001fffe", "\u2028\x7f\x1b"], "\ufffe\uffff\U0001fffe\u2028\x7f\x1b"),
]


@on_every_database
async def test_text_in_any_pieces_is_sent_stored_and_told_to_the_model_whole(
    start_app: AppFactory, tmp_path: Path
) -> None:
    async with start_app(llm_config_file=config(tmp_path)) as api:
        tokens = await api.login(await api.register())
        for pieces, whole in TEXTS:
            speaker = Speaker(pieces)
            replace_provider(api.state, speaker)
            events = await ask(api, tokens)
            assert kinds(events) == ["start", "token", "usage", "end"], pieces
            assert all(event["content"] for event in events if event["event"] == "token")
            assert text_of(events) == whole
            session_id = events[0]["session_id"]
            turns = (await api.get(f"/llm/sessions/{session_id}", tokens)).json()["turns"]
            assert turns[1]["content"] == whole
            await ask(api, tokens, session_id=session_id)
            assert speaker.heard[-2] == whole


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (Usage(30, 5), (30, 5)),
        (Usage(3_000_000_000, 5), (None, 5)),
        (Usage(9_000_000, 5), (None, 5)),  # for a prompt of a few words
        (Usage(30, 10**30), (30, None)),
        (Usage(0, 5), (None, 5)),
        (Usage(30, 0), (30, None)),
        (Usage(-7, -7), (None, None)),
    ],
)
async def test_usage_that_cannot_be_true_is_estimated_and_says_so(
    start_app: AppFactory, tmp_path: Path, told: Usage, counted: tuple[int | None, int | None]
) -> None:
    async with start_app(llm_config_file=config(tmp_path)) as api:
        tokens = await api.login(await api.register())
        replace_provider(api.state, Speaker(["Because ", "it is so."], told))
        events = await ask(api, tokens)
        assert kinds(events) == ["start", "token", "usage", "end"]
        usage = events[-2]["usage"]
        assert usage.get("estimated", False) is (None in counted)
        # Of the answer's 17 bytes, and of a prompt of some 100.
        assert usage["output_tokens"] == (6 if counted[1] is None else counted[1])
        assert 20 < usage["input_tokens"] < 60 if counted[0] is None else usage["input_tokens"] == counted[0]
        totals = (await api.get("/llm/usage", tokens)).json()["totals"]
        assert totals["total_tokens"] == usage["total_tokens"]


@pytest.fixture
async def forgetful(start_app: AppFactory, tmp_path: Path) -> AsyncIterator[Api]:
    """An application whose database refuses every turn."""
    async with start_app(llm_config_file=config(tmp_path)) as api:
        async with api.state.database.write() as session:
            await session.execute(
                text("CREATE TRIGGER no_turn BEFORE INSERT ON llm_turns BEGIN SELECT RAISE(ABORT, 'no'); END")
            )
        try:
            yield api
        finally:
            async with api.state.database.write() as session:
                await session.execute(text("DROP TRIGGER no_turn"))


async def test_answer_that_the_database_refuses_is_charged_and_the_stream_says_so(forgetful: Api) -> None:
    tokens = await forgetful.login(await forgetful.register())
    replace_provider(forgetful.state, Speaker(["So."]))
    events = await ask(forgetful, tokens)
    assert kinds(events) == ["start", "token", "usage", "error", "end"]
    assert events[-2]["code"] == "answer_not_stored"
    totals = (await forgetful.get("/llm/usage", tokens)).json()["totals"]
    assert (totals["requests"], totals["total_tokens"]) == (1, 35)
    assert (await forgetful.get(f"/llm/sessions/{events[0]['session_id']}", tokens)).status_code == 404


async def test_task_whose_answer_the_database_refuses_gives_it_and_is_charged(forgetful: Api) -> None:
    user = await forgetful.register()
    # By the simulator: a worker opens a gateway of its own.
    settings = forgetful.settings.model_copy(update={"llm_config_file": BUILT_IN_FILE})
    outcome = await answer(settings, job_of(user.id), str(uuid4()))
    assert outcome.text
    assert outcome.stored is False
    totals = (await forgetful.get("/llm/usage", await forgetful.login(user))).json()["totals"]
    assert (totals["requests"], totals["total_tokens"]) == (1, outcome.usage.total_tokens)


async def test_error_that_nobody_expected_still_ends_the_stream(
    start_app: AppFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_app(llm_config_file=config(tmp_path)) as api:
        tokens = await api.login(await api.register())
        replace_provider(api.state, Speaker(["So."]))

        async def broken(*_: object) -> bool:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr("inference_core.llm.accounting.spending.record", broken)
            events = await ask(api, tokens)
        assert kinds(events) == ["start", "token", "usage", "error", "end"]
        assert events[-2]["code"] == "service_error"


async def test_cost_beyond_every_column_still_ends_the_stream(start_app: AppFactory, tmp_path: Path) -> None:
    async with start_app(llm_config_file=config(tmp_path, price="1.0e+18")) as api:
        tokens = await api.login(await api.register())
        replace_provider(api.state, Speaker(["So."]))
        events = await ask(api, tokens)
        assert kinds(events) == ["start", "token", "usage", "error", "end"]
        assert events[-2]["code"] == "answer_not_stored"


async def test_answer_that_does_not_end_is_broken_off(
    start_app: AppFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_core.llm.gateway.open_stream.MAX_ANSWER_BYTES", 1000)
    async with start_app(llm_config_file=config(tmp_path)) as api:
        tokens = await api.login(await api.register())
        replace_provider(api.state, Speaker(["字" * 10] * 100))
        events = await ask(api, tokens)
        assert kinds(events) == ["start", "token", "error", "end"]
        assert 900 <= len(text_of(events).encode()) <= 1000


@pytest.mark.parametrize("field", ["user_input", "session_id", "model_name"])
@pytest.mark.parametrize("piece", ["\\ud83e", "\\udd89", "a\\ud83e b", "\\u0000"])
async def test_text_of_a_user_that_is_no_text_is_refused(api: Api, field: str, piece: str) -> None:
    fields = {"user_input": '"Why?"'} | {field: f'"{piece}"'}
    body = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    for path in ("/llm/conversation/stream", "/llm/conversation"):
        headers = {"Content-Type": "application/json"}
        response = await api.client.post(f"/api/v1{path}", content=body, headers=headers)
        assert response.status_code in {404, 422}, response.text
        assert response.headers["content-type"] == "application/problem+json"
