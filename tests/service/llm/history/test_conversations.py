"""Conversations: stored turns, lists, pages, deletion, and the part that is sent to the model."""

from __future__ import annotations

from uuid import uuid4

import pytest

from inference_core.llm.conversations.prompts import build_messages, within
from inference_core.llm.types import ChatRequest, Message
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, Tokens
from tests.support.llm import EndlessProvider, limits_config, parse_events, replace_provider, text_of
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


async def say(api: Api, tokens: Tokens | None, text: str, session_id: str | None = None) -> tuple[str, str]:
    """The session and the reply."""
    body = {"user_input": text, "max_tokens": 20} | ({"session_id": session_id} if session_id else {})
    response = await api.post("/llm/conversation/stream", body, tokens)
    assert response.status_code == 200, response.text
    events = parse_events(response.text)
    return events[0]["session_id"], text_of(events)


async def login(api: Api) -> Tokens:
    return await api.login(await api.register())


@on_every_database
async def test_both_turns_are_there_when_the_stream_has_ended(api: Api) -> None:
    tokens = await login(api)
    session_id, first = await say(api, tokens, "Hello, ☃!")
    same, second = await say(api, tokens, "And now?", session_id)
    assert same == session_id
    read = (await api.get(f"/llm/sessions/{session_id}", tokens)).json()
    assert [(turn["role"], turn["content"], turn["complete"]) for turn in read["turns"]] == [
        ("user", "Hello, ☃!", True),
        ("assistant", first, True),
        ("user", "And now?", True),
        ("assistant", second, True),
    ]
    assert (read["title"], read["turn_count"]) == ("Hello, ☃!", 4)
    page = (await api.get(f"/llm/sessions/{session_id}?offset=1&limit=2", tokens)).json()
    assert [turn["content"] for turn in page["turns"]] == [first, "And now?"]


@on_every_database
async def test_conversations_are_listed_the_last_used_first_and_deleted(api: Api) -> None:
    tokens = await login(api)
    one, _ = await say(api, tokens, "one")
    two, _ = await say(api, tokens, "two")
    await say(api, tokens, "one again", one)
    listed = (await api.get("/llm/sessions", tokens)).json()
    assert [item["session_id"] for item in listed["items"]] == [one, two]
    assert listed["total"] == 2
    assert (await api.get("/llm/sessions?limit=1&offset=1", tokens)).json()["items"][0]["session_id"] == two
    deleted = await api.call("DELETE", f"/llm/sessions/{one}", tokens)
    assert deleted.json() == {"session_id": one, "deleted": True}
    assert (await api.get(f"/llm/sessions/{one}", tokens)).status_code == 404
    assert (await api.get("/llm/sessions", tokens)).json()["total"] == 1


async def test_conversations_without_an_account_are_nobodys_and_not_listed(api: Api) -> None:
    session_id, _ = await say(api, None, "Hello?")
    await say(api, None, "Still there?", session_id)
    assert (await api.get(f"/llm/sessions/{session_id}")).json()["turn_count"] == 4
    assert (await api.get("/llm/sessions")).status_code == 401


async def test_unknown_conversations_are_404(api: Api) -> None:
    tokens = await login(api)
    for session_id in (str(uuid4()), "no-such-session"):
        for path in ("/llm/conversation", "/llm/conversation/stream"):
            refused = await api.post(path, {"user_input": "x", "session_id": session_id}, tokens)
            assert (refused.status_code, refused.json()["code"]) == (404, "session_not_found")
        assert (await api.get(f"/llm/sessions/{session_id}", tokens)).status_code == 404


class Listener(EndlessProvider):
    """Notes what it is asked."""

    def __init__(self) -> None:
        super().__init__(tokens=2, content="ok")
        self.asked: list[ChatRequest] = []

    def stream(self, request, call):  # type: ignore[no-untyped-def]
        self.asked.append(request)
        return super().stream(request, call)


async def test_model_is_told_the_last_turns_and_no_more(start_app: AppFactory, tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with start_app(llm_config_file=limits_config(tmp_path), llm_history_turns=4) as api:
        listener = Listener()
        replace_provider(api.state, listener)
        tokens = await login(api)
        session_id, _ = await say(api, tokens, "turn 0")
        for number in range(1, 5):
            await say(api, tokens, f"turn {number}", session_id)
        *_, last = listener.asked
        told = [(message.role, message.content) for message in last.messages]
        assert told[0][0] == "system"
        assert told[1:] == [
            ("user", "turn 2"),
            ("assistant", "okok"),
            ("user", "turn 3"),
            ("assistant", "okok"),
            ("user", "turn 4"),
        ]


def test_history_is_cut_to_whole_exchanges_that_have_room() -> None:
    history = [
        Message("user", "a" * 10),
        Message("assistant", "b" * 10),
        Message("user", "c"),
        Message("assistant", "d"),
    ]
    assert within(history, 1000) == history
    assert within(history, 22) == history
    assert within(history, 21) == history[2:]
    assert within(history, 1) == []
    assert within(history, 0) == []
    messages = build_messages("conversation", history, "e", 2)
    assert [message.content for message in messages[1:]] == ["c", "d", "e"]
