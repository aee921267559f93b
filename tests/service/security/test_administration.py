"""What superusers may do, and that nobody else may."""

from __future__ import annotations

from uuid import UUID

import pytest

from inference_core.auth.admin.superusers import create_superuser
from inference_core.auth.errors import AccountExistsError
from inference_core.auth.passwords.policy import CommonPasswordError
from inference_core.core.exceptions import InvalidInputError
from tests.service.security.conftest import Meanwhile
from tests.support.accounts import PASSWORD, Api, new_name
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


@on_every_database
async def test_superusers_list_and_search_accounts_by_pages(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    prefix = new_name()
    users = [await api.register(username=f"{prefix}{index}") for index in range(5)]
    first = (await api.get(f"/admin/users?search={prefix.upper()}&limit=2", admin)).json()
    second = (await api.get(f"/admin/users?search={prefix}&limit=3&offset=2", admin)).json()
    assert (first["total"], first["limit"], first["offset"]) == (5, 2, 0)
    assert [item["id"] for item in first["items"] + second["items"]] == [user.id for user in users]
    assert (await api.get("/admin/users?search=%25", admin)).json()["total"] == 0
    assert (await api.get("/admin/users?search=%00", admin)).status_code == 422
    assert "hashed_password" not in first["items"][0]
    own = (await api.get("/auth/me", admin)).json()
    (found,) = (await api.get(f"/admin/users?search={own['email']}", admin)).json()["items"]
    assert found == {**own, "is_superuser": True, "is_verified": True}


async def test_superusers_ask_for_pages_of_a_bounded_size(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    for query in ("limit=0", "limit=201", "limit=x", "offset=-1", "offset=10000001", f"search={'x' * 255}"):
        assert (await api.get(f"/admin/users?{query}", admin)).status_code == 422, query
    largest = (await api.get("/admin/users?limit=200", admin)).json()
    assert largest["limit"] == 200
    beyond = await api.get("/admin/users?limit=1&offset=10000000", admin)
    assert (beyond.status_code, beyond.json()["items"]) == (200, [])
    assert beyond.json()["total"] >= largest["total"] > 0
    assert (await api.get("/admin/users", admin)).json()["limit"] == 50


@on_every_database
async def test_S25_a_superuser_puts_an_account_out_at_once(api: Api) -> None:
    admin_user = await api.register_superuser()
    admin = await api.login(admin_user)
    user = await api.register()
    tokens = await api.login(user)
    path = f"/admin/users/{user.id}"
    off = await api.call("PATCH", path, admin, json={"is_active": False})
    assert (off.status_code, off.json()["is_active"]) == (200, False)
    assert await api.me_status(tokens) == 401
    assert (await api.try_refresh(tokens)).status_code == 401
    assert (await api.try_login(user)).status_code == 401
    assert (await api.call("PATCH", path, admin, json={"is_active": True})).status_code == 200
    assert await api.me_status(tokens) == 401
    await api.login(user)
    own = await api.call("PATCH", f"/admin/users/{admin_user.id}", admin, json={"is_active": False})
    assert (own.status_code, own.json()["code"]) == (400, "own_account")


async def test_S25_an_account_that_comes_back_has_none_of_its_old_sessions(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    user = await api.register()
    sessions = [await api.login(user) for _ in range(2)]
    for active in (False, True):
        answer = await api.call("PATCH", f"/admin/users/{user.id}", admin, json={"is_active": active})
        assert answer.status_code == 200
    # Not refreshed in between, so that only the deactivation can have ended them.
    assert await api.auth.sessions.list(UUID(user.id)) == []
    for tokens in sessions:
        assert (await api.try_refresh(tokens)).status_code == 401
        assert await api.me_status(tokens) == 401
    assert await api.me_status(await api.login(user)) == 200


@on_every_database
async def test_S25_a_login_under_way_while_its_account_is_put_out_leads_nowhere(
    api: Api, while_a_password_is_compared: Meanwhile
) -> None:
    admin = await api.login(await api.register_superuser())
    user = await api.register()

    async def set_active(active: bool) -> None:
        answer = await api.call("PATCH", f"/admin/users/{user.id}", admin, json={"is_active": active})
        assert answer.status_code == 200

    while_a_password_is_compared(api, lambda: set_active(active=False))
    tokens = await api.login(user)
    await set_active(active=True)
    assert await api.me_status(tokens) == 401
    assert (await api.try_refresh(tokens)).status_code == 401


async def test_S32_a_superuser_ends_anybodys_sessions(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    user = await api.register()
    tokens = await api.login(user)
    answer = await api.call("DELETE", f"/admin/users/{user.id}/sessions", admin)
    assert (answer.status_code, answer.json()["ended"]) == (200, 1)
    assert await api.me_status(tokens) == 401
    assert (await api.try_refresh(tokens)).status_code == 401


async def test_S36_nobody_else_may(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    for method, path in (("GET", ""), ("PATCH", f"/{user.id}"), ("DELETE", f"/{user.id}/sessions")):
        body = {"json": {"is_active": True}} if method == "PATCH" else {}
        assert (await api.call(method, f"/admin/users{path}", tokens, **body)).status_code == 403
        assert (await api.call(method, f"/admin/users{path}", **body)).status_code == 401


async def test_administration_of_an_unknown_account_is_not_found(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    unknown = "00000000-0000-4000-8000-000000000000"
    assert (await api.call("PATCH", f"/admin/users/{unknown}", admin, json={"is_active": False})).status_code == 404
    assert (await api.call("DELETE", f"/admin/users/{unknown}/sessions", admin)).status_code == 404


async def test_create_superuser_refuses_what_registration_would(api: Api) -> None:
    user = await api.register()
    with pytest.raises(AccountExistsError):
        await create_superuser(api.settings, username=user.username, email="other@example.com", password=PASSWORD)
    with pytest.raises(InvalidInputError, match=r"email: .*; password: ") as raised:
        await create_superuser(api.settings, username="root", email="nowhere", password="short")
    assert "short" not in str(raised.value).replace("should", "")
    with pytest.raises(CommonPasswordError):
        await create_superuser(api.settings, username=new_name(), email="boss@example.com", password="password1")
