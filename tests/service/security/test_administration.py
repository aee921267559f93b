"""What superusers may do, and that nobody else may."""

from __future__ import annotations

import pytest

from inference_core.auth.admin_service import create_superuser
from inference_core.auth.errors import AccountExistsError
from inference_core.exceptions import InvalidInputError
from tests.support.accounts import PASSWORD, Api, Tokens, User, new_name

pytestmark = pytest.mark.anyio


async def superuser(api: Api) -> tuple[User, Tokens]:
    name = new_name()
    user_id = await create_superuser(
        api.settings, username=name, email=f"{name}@example.com", password="OperatorPass1!"
    )
    user = User(str(user_id), name, f"{name}@example.com", "OperatorPass1!")
    return user, await api.login(user)


async def test_superusers_list_and_search_accounts_by_pages(api: Api) -> None:
    _, admin = await superuser(api)
    prefix = new_name()
    users = [await api.register(username=f"{prefix}{index}") for index in range(5)]
    first = (await api.get(f"/admin/users?search={prefix.upper()}&limit=2", admin)).json()
    second = (await api.get(f"/admin/users?search={prefix}&limit=3&offset=2", admin)).json()
    assert (first["total"], first["limit"], first["offset"]) == (5, 2, 0)
    assert [item["id"] for item in first["items"] + second["items"]] == [user.id for user in users]
    assert (await api.get("/admin/users?search=%25", admin)).json()["total"] == 0
    assert (await api.get("/admin/users?search=%00", admin)).status_code == 422
    assert "hashed_password" not in first["items"][0]


async def test_S25_a_superuser_puts_an_account_out_at_once(api: Api) -> None:
    admin_user, admin = await superuser(api)
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


async def test_S32_a_superuser_ends_anybodys_sessions(api: Api) -> None:
    _, admin = await superuser(api)
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
    _, admin = await superuser(api)
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
