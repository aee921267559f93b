"""Notes: each user sees and changes only their own, and a worker counts their words."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from inference_core.core.paths import API_PREFIX
from inference_core.testing import Api, running_worker
from shop.notes.settings import NotesSettings

pytestmark = pytest.mark.anyio

NOTES = f"{API_PREFIX}/notes"
PASSWORD = "SecurePass123!"
Headers = dict[str, str]


async def sign_up(api: Api) -> Headers:
    """Register a user. Return the headers of their requests."""
    name = f"user{secrets.token_hex(6)}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    registered = await api.client.post(f"{API_PREFIX}/auth/register", json=account)
    assert registered.status_code == 201, registered.text
    login = {"username": name, "password": PASSWORD}
    tokens = (await api.client.post(f"{API_PREFIX}/auth/login", json=login)).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def create(api: Api, headers: Headers, **fields: str) -> dict[str, Any]:
    """Create one note. Return it."""
    response = await api.client.post(NOTES, json={"title": "Tea", **fields}, headers=headers)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


async def test_create_read_change_delete(api: Api) -> None:
    headers = await sign_up(api)
    created = await create(api, headers, title="  Tea ", text="Green, please.")
    assert (created["title"], created["text"]) == ("Tea", "Green, please.")
    place = f"{NOTES}/{created['id']}"

    assert (await api.client.get(place, headers=headers)).json() == created

    changed = (await api.client.patch(place, json={"text": "Black."}, headers=headers)).json()
    assert (changed["title"], changed["text"]) == ("Tea", "Black.")
    assert changed["updated_at"] > created["updated_at"]
    assert (await api.client.get(place, headers=headers)).json() == changed

    assert (await api.client.delete(place, headers=headers)).json() == {"id": created["id"]}
    assert (await api.client.get(place, headers=headers)).status_code == 404


async def test_pages_have_the_newest_first(api: Api) -> None:
    headers = await sign_up(api)
    ids = [(await create(api, headers, title=f"Number {number}"))["id"] for number in range(3)]

    page = (await api.client.get(NOTES, params={"offset": 1, "limit": 1}, headers=headers)).json()
    assert (page["total"], page["offset"], page["limit"]) == (3, 1, 1)
    assert [item["id"] for item in page["items"]] == [ids[1]]

    whole = (await api.client.get(NOTES, headers=headers)).json()
    assert [item["id"] for item in whole["items"]] == ids[::-1]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_nobody_else_finds_them(api: Api, method: str) -> None:
    owner, other = await sign_up(api), await sign_up(api)
    created = await create(api, owner)
    for place in (f"{NOTES}/{created['id']}", f"{NOTES}/{uuid4()}"):
        response = await api.client.request(
            method, place, headers=other, json={"title": "Mine"} if method == "PATCH" else None
        )
        assert (response.status_code, response.json()["code"]) == (404, "note_not_found")
    assert (await api.client.get(f"{NOTES}/{created['id']}", headers=owner)).json() == created
    assert (await api.client.get(NOTES, headers=other)).json()["total"] == 0


async def test_an_account_is_needed(api: Api) -> None:
    assert (await api.client.get(NOTES)).status_code == 401
    assert (await api.client.post(NOTES, json={"title": "Tea"})).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": " "},
        {"title": "x" * 201},
        {"title": "T\0a"},
        {"title": "Tea", "text": "x" * 10_001},
        {"title": "Tea", "text": "\0"},
        {"title": None},
    ],
)
async def test_input_that_is_not_valid_is_refused(api: Api, body: dict[str, Any]) -> None:
    headers = await sign_up(api)
    assert (await api.client.post(NOTES, json=body, headers=headers)).status_code == 422
    created = await create(api, headers)
    if "text" not in body:
        changed = await api.client.patch(f"{NOTES}/{created['id']}", json=body, headers=headers)
        assert changed.status_code == 422
    assert (await api.client.get(NOTES, params={"limit": 101}, headers=headers)).status_code == 422


async def test_their_number_is_limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(api.settings.of(NotesSettings)), "notes_per_user", 1)
    headers = await sign_up(api)
    await create(api, headers)
    refused = await api.client.post(NOTES, json={"title": "One more"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_notes")


async def test_a_worker_counts_the_words_of_the_caller(api: Api, tmp_path: Path) -> None:
    headers, other = await sign_up(api), await sign_up(api)
    await create(api, headers, text="Green, please.")
    await create(api, headers, text="Black.")
    await create(api, other, text="None of these words.")
    results = []
    with running_worker(api.settings, tmp_path):
        for _ in range(2):
            sent = await api.client.post(f"{NOTES}/word-count", headers=headers)
            assert sent.status_code == 200, sent.text
            place = f"{API_PREFIX}/tasks/{sent.json()['task_id']}/result"
            answer = await api.client.get(place, params={"timeout": 20}, headers=headers)
            results.append(answer.json()["result"])
            assert (await api.client.get(place, headers=other)).status_code == 404
    assert results == [{"words": 3}, {"words": 3}]


async def test_one_user_cannot_fill_the_queue(api: Api) -> None:
    headers, other = await sign_up(api), await sign_up(api)
    sent = [await api.client.post(f"{NOTES}/word-count", headers=headers) for _ in range(61)]
    assert [response.status_code for response in sent] == [200] * 60 + [429]
    assert 0 < int(sent[-1].headers["Retry-After"]) <= 60
    assert (await api.client.post(f"{NOTES}/word-count", headers=other)).status_code == 200
