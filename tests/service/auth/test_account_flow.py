"""The account routes as a client uses them, one after the other."""

from __future__ import annotations

import pytest

from tests.support.accounts import Api, Tokens, new_registration
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


@on_every_database
async def test_register_login_and_read_the_profile(api: Api) -> None:
    body = new_registration(username="Alice42", email="Alice@Example.com", first_name="Alice")
    registered = await api.post("/auth/register", body)
    assert registered.status_code == 201
    profile = registered.json()
    assert profile["username"] == "alice42"
    assert profile["email"] == "alice@example.com"
    assert "password" not in registered.text
    for login in ("ALICE42", "alice@EXAMPLE.com"):
        answer = await api.post("/auth/login", {"username": login, "password": body["password"]})
        assert answer.status_code == 200
        assert answer.json()["token_type"] == "bearer"
        assert answer.json()["expires_in"] == 1800
        tokens = Tokens(answer.json()["access_token"], answer.json()["refresh_token"])
        assert (await api.get("/auth/me", tokens)).json() == profile


@on_every_database
async def test_a_changed_profile_is_seen_by_the_next_read(api: Api) -> None:
    tokens = await api.login(await api.register())
    changed = await api.call("PUT", "/auth/me", tokens, json={"first_name": "Bob"})
    assert changed.status_code == 200
    assert changed.json()["first_name"] == "Bob"
    assert (await api.get("/auth/me", tokens)).json() == changed.json()


@on_every_database
async def test_a_changed_password_is_the_one_that_counts(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    change = {"current_password": user.password, "new_password": "AnotherPass456!"}
    changed = await api.post("/auth/change-password", change, tokens)
    assert changed.status_code == 200
    assert changed.json()["success"] is True
    assert (await api.try_login(user)).status_code == 401
    await api.login(user, "AnotherPass456!")
    assert await api.me_status(tokens) == 200


async def test_the_oauth2_form_logs_in_too(api: Api) -> None:
    user = await api.register()
    form = {"username": user.username, "password": user.password, "grant_type": "password"}
    answer = await api.call("POST", "/auth/token", data=form)
    assert answer.status_code == 200
    assert await api.me_status(Tokens(answer.json()["access_token"], "")) == 200


async def test_after_logout_the_session_is_gone(api: Api) -> None:
    tokens = await api.login(await api.register())
    answer = await api.post("/auth/logout", {"refresh_token": tokens.refresh})
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert (await api.try_refresh(tokens)).status_code == 401
    assert await api.me_status(tokens) == 401


async def test_refreshed_tokens_work(api: Api) -> None:
    tokens = await api.login(await api.register())
    newer = await api.refresh(tokens)
    assert newer.refresh != tokens.refresh
    assert await api.me_status(newer) == 200
