"""Errors before the status 200 are problem documents, and later ones are error events before the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import AppFactory
from tests.support.accounts import Api
from tests.support.llm import config_file, kinds, parse_events, tokens_of

pytestmark = pytest.mark.anyio

STREAM = "/llm/explain/stream"
BODY = {"question": "Why is the sky blue?"}

CONFIG = """
providers:
  local: {kind: simulated}
models:
  small: {provider: local, context_tokens: 2000, max_output_tokens: 100}
tasks:
  explain: {primary: small}
  conversation: {primary: small}
param_policies:
  models:
    small: {forbid: [reasoning_effort]}
"""


@pytest.mark.parametrize(
    ("fault", "status", "code", "retry_after"),
    [
        ("connect_refused", 503, "llm_upstream_unavailable", True),
        ("unavailable:3", 503, "llm_upstream_unavailable", True),
        ("rate_limited:7", 429, "llm_rate_limited", True),
        ("auth_failed", 502, "llm_auth_failed", False),
        ("context_too_long", 400, "llm_context_too_long", False),
        ("server_error", 502, "llm_upstream_failed", False),
        ("model_not_found", 502, "llm_model_not_found", False),
        ("no_such_fault", 400, "llm_bad_request", False),
    ],
)
async def test_failure_before_the_first_token_is_a_problem(
    api: Api, fault: str, status: int, code: str, retry_after: bool
) -> None:
    response = await api.post(STREAM, BODY, headers={"X-LLM-Fault": fault})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in response.headers) == retry_after
    assert response.json().get("retry_after_s") == (int(response.headers["retry-after"]) if retry_after else None)
    if fault == "rate_limited:7":
        assert response.headers["retry-after"] == "7"
    assert not api.llm.streams.active


async def test_slow_first_token_is_504(api: Api) -> None:
    slow = {"X-LLM-Fault": "slow_first_token:60"}
    response = await api.post(STREAM, {**BODY, "request_timeout": 1}, headers=slow)
    assert (response.status_code, response.json()["code"]) == (504, "llm_timeout")
    assert response.json()["phase"] == "total"


@pytest.mark.parametrize("fault", ["reset", "malformed"])
async def test_failure_after_the_first_token_is_an_event_and_then_the_end(api: Api, fault: str) -> None:
    user = await api.register()
    tokens = await api.login(user)
    response = await api.post(
        "/llm/conversation/stream", {"user_input": "Why?"}, tokens, headers={"X-LLM-Fault": fault}
    )
    events = parse_events(response.text)
    assert response.status_code == 200
    assert kinds(events) == ["start", "token", "error", "end"]
    assert events[-2]["code"] == "llm_upstream_failed"
    # What had come is kept, as what it is.
    turns = (await api.get(f"/llm/sessions/{events[0]['session_id']}", tokens)).json()["turns"]
    assert [turn["complete"] for turn in turns] == [True, False]
    usage = (await api.get("/llm/usage", tokens)).json()
    assert usage["totals"]["output_tokens"] == tokens_of(events)
    stats = (await api.get("/llm/stats", tokens)).json()["stats"]
    assert (stats["requests_count"], stats["errors_count"]) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"model_name": "no-such-model"}, 404, "unknown_model"),
        ({"reasoning_effort": "high"}, 400, "forbidden_parameter"),
        ({"max_tokens": 101}, 400, "forbidden_parameter"),
        ({"question": "x" * 100_001}, 400, "prompt_too_long"),
        ({"question": "long " * 5000}, 400, "llm_context_too_long"),
        ({"question": "x" * 200_001}, 422, "validation_failed"),
        ({"question": ""}, 422, "validation_failed"),
        ({"question": "a\0b"}, 422, "validation_failed"),
        ({"temperature": 2.1}, 422, "validation_failed"),
        ({"max_tokens": 0}, 422, "validation_failed"),
    ],
)
async def test_request_that_cannot_be_served_is_refused_by_streams_and_tasks(
    start_app: AppFactory, tmp_path: Path, changes: dict[str, Any], status: int, code: str
) -> None:
    async with start_app(llm_config_file=config_file(tmp_path, CONFIG)) as api:
        refused = await api.post(STREAM, BODY | changes)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        if code != "llm_context_too_long":  # which only a provider finds out
            refused = await api.post("/llm/explain", BODY | changes)
            assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_production_without_a_key_says_so(start_app: AppFactory) -> None:
    production = {"environment": "production", "secret_key": "s" * 32, "llm_api_access_mode": "public"}
    async with start_app(**production) as api:
        for path in (STREAM, "/llm/explain"):
            refused = await api.post(path, BODY)
            assert (refused.status_code, refused.json()["code"]) == (503, "llm_not_configured")
        health = (await api.get("/llm/health")).json()
        assert (health["status"], health["available_models"]) == ("not_configured", 0)
        assert (await api.get("/health/")).json()["components"]["llm"]["status"] == "not_configured"
    async with start_app(**production, llm_simulate_in_production=True) as api:
        # Told to simulate, it does; but no caller makes it fail.
        response = await api.post(STREAM, BODY, headers={"X-LLM-Fault": "server_error"})
        assert kinds(parse_events(response.text)) == ["start", "token", "usage", "end"]
