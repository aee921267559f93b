"""Who may see and do what at the LLM endpoints: nobody gets at another's conversations, tasks or usage."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.service.conftest import AppFactory
from tests.support.accounts import Api, Tokens

pytestmark = pytest.mark.anyio

PRODUCTION = {"environment": "production", "secret_key": "s" * 32, "llm_simulate_in_production": True}
ASKING = ("/llm/explain", "/llm/conversation", "/llm/explain/stream", "/llm/conversation/stream")
LOOKING = ("/llm/models", "/llm/stats", "/llm/health", "/llm/sessions", "/llm/usage", f"/llm/sessions/{uuid4()}")


def question(path: str) -> dict[str, Any]:
    return {"question" if "explain" in path else "user_input": "Why?", "max_tokens": 5}


async def talk(api: Api, tokens: Tokens) -> str:
    """Begin a conversation; its id."""
    answer = await api.post("/llm/conversation/stream", question("conversation"), tokens)
    assert answer.status_code == 200, answer.text
    session_id: str = json.loads(answer.text.split("\n", 1)[0].removeprefix("data: "))["session_id"]
    return session_id


async def test_S35_a_conversation_is_its_users_alone(api: Api) -> None:
    own, theirs = await api.login(await api.register()), await api.login(await api.register())
    admin = await api.login(await api.register_superuser())
    session_id = await talk(api, own)
    before = (await api.get(f"/llm/sessions/{session_id}", own)).json()
    for caller in (theirs, admin, None):
        for wanted in (session_id, str(uuid4()), "no-such-conversation"):
            body = question("conversation") | {"session_id": wanted}
            answers = [
                await api.get(f"/llm/sessions/{wanted}", caller),
                await api.call("DELETE", f"/llm/sessions/{wanted}", caller),
                await api.post("/llm/conversation", body, caller),
                await api.post("/llm/conversation/stream", body, caller),
            ]
            assert [answer.status_code for answer in answers] == [404] * 4
            assert {answer.json()["detail"] for answer in answers} == {"There is no such conversation."}
    for caller in (theirs, admin):
        assert (await api.get("/llm/sessions", caller)).json()["total"] == 0
        assert (await api.get("/llm/usage", caller)).json()["totals"]["requests"] == 0
    assert (await api.get(f"/llm/sessions/{session_id}", own)).json() == before
    assert before["turn_count"] == 2


@pytest.mark.parametrize("path", ["/llm/explain", "/llm/conversation"])
async def test_S35_a_task_that_asks_is_its_submitters_alone(api: Api, path: str) -> None:
    own, theirs = await api.login(await api.register()), await api.login(await api.register())
    key = {"Idempotency-Key": "the same for both"}
    mine = (await api.post(path, question(path), own, headers=key)).json()["task_id"]
    other = (await api.post(path, question(path), theirs, headers=key)).json()["task_id"]
    assert mine != other
    for caller in (theirs, None):
        for method, what in (("GET", "/status"), ("GET", "/result"), ("DELETE", "")):
            assert (await api.call(method, f"/tasks/{mine}{what}", caller)).status_code == 404
    assert (await api.call("DELETE", f"/tasks/{mine}", own)).json()["cancelled"] is True


async def test_S36_production_lets_users_ask_and_superusers_see_what_all_have_used(start_app: AppFactory) -> None:
    async with start_app(**PRODUCTION) as api:
        user, admin = await api.login(await api.register()), await api.login(await api.register_superuser())
        for path in LOOKING:
            assert (await api.get(path)).status_code == 401
        for path in ASKING:
            assert (await api.post(path, question(path))).status_code == 401
            assert (await api.post(path, question(path), user)).status_code == 200
        statuses = [(await api.get("/admin/llm/usage", caller)).status_code for caller in (None, user, admin)]
        assert statuses == [401, 403, 200]
        assert (await api.get("/llm/param-policy/simulated", admin)).status_code == 404


async def test_S36_the_endpoints_can_be_kept_for_superusers(start_app: AppFactory) -> None:
    async with start_app(llm_api_access_mode="superuser") as api:
        user, admin = await api.login(await api.register()), await api.login(await api.register_superuser())
        for path in ASKING:
            statuses = [(await api.post(path, question(path), caller)).status_code for caller in (None, user, admin)]
            assert statuses == [401, 403, 200]
        for path in LOOKING[:3]:
            statuses = [(await api.get(path, caller)).status_code for caller in (None, user, admin)]
            assert statuses == [401, 403, 200]


async def test_S36_nobody_makes_a_service_in_production_fail_by_a_header(start_app: AppFactory) -> None:
    wish = {"X-LLM-Fault": "server_error"}
    async with start_app() as api:
        assert (await api.post(ASKING[2], question(ASKING[2]), headers=wish)).status_code == 502
    async with start_app(**PRODUCTION) as api:
        user = await api.login(await api.register())
        assert (await api.post(ASKING[2], question(ASKING[2]), user, headers=wish)).status_code == 200


async def test_S39_a_request_chooses_no_server_and_no_key(api: Api) -> None:
    for name in ("http://127.0.0.1:1/v1", "../models", "simulated", "a\r\nX-Header: b", "\0"):
        refused = await api.post(ASKING[2], question(ASKING[2]) | {"model_name": name})
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_model")
    extra = {"base_url": "http://127.0.0.1:1/v1", "api_key": "mine", "provider": "openai", "n": 1000}
    answer = await api.post(ASKING[2], question(ASKING[2]) | extra)
    assert answer.status_code == 200
    assert '"simulated":true' in answer.text
