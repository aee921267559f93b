"""The events of a stream: their order, every token once, the usage, and the stored turns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accounts import Api, Tokens
from tests.support.llm import Event, kinds, parse_events, text_of, tokens_of

pytestmark = pytest.mark.anyio


async def ask(api: Api, path: str, body: dict[str, Any], tokens: Tokens | None = None, **headers: str) -> list[Event]:
    response = await api.post(f"/llm{path}", body, tokens, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    return parse_events(response.text)


async def test_explain_stream_sends_every_token_once_and_true_usage(api: Api) -> None:
    question = "Why is the sky blue?"
    response = await api.post("/llm/explain/stream", {"question": question, "max_tokens": 200})
    events = parse_events(response.text)
    assert kinds(events) == ["start", "token", "usage", "end"]
    assert events[0]["simulated"] is True
    assert events[0]["model"] == "gpt-5-mini"
    assert events[0]["request_id"] == response.headers["x-request-id"]
    assert "session_id" not in events[0]
    usage = events[-2]["usage"]
    assert usage["output_tokens"] == tokens_of(events)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    planned = [event["planned_ms"] for event in events if event["event"] == "token"]
    assert planned == sorted(planned)
    again = await ask(api, "/explain/stream", {"question": question, "max_tokens": 200})
    assert text_of(again) == text_of(events)
