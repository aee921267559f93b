"""Routes require permissions, which superusers grant by roles."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import insert

from inference_core.app.application import create_application
from inference_core.auth.models import Role, RolePermission, UserRole
from inference_core.auth.permissions import requires
from inference_core.auth.roles import service as roles
from inference_core.core.db.engine import Database
from inference_core.core.feature import Feature, FeatureError, Permission, Service
from inference_core.core.permissions import check_permissions
from tests.service.conftest import running
from tests.support.accounts import Api, Tokens, audit_events, new_name
from tests.support.notes import READ, WRITE, notes, notes_service
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings, service

pytestmark = pytest.mark.anyio


async def add_role(api: Api, admin: Tokens, *permissions: str) -> str:
    name = new_name()
    answer = await api.post("/admin/roles", {"name": name, "permissions": permissions}, admin)
    assert answer.status_code == 201, answer.text
    return name


async def give(api: Api, admin: Tokens, user_id: str, *names: str) -> None:
    answer = await api.call("PUT", f"/admin/users/{user_id}/roles", admin, json={"roles": names})
    assert answer.status_code == 200, answer.text


async def statuses(api: Api, tokens: Tokens | None) -> tuple[int, int]:
    """The statuses of reading and writing notes."""
    return (await api.get("/notes", tokens)).status_code, (await api.post("/notes", {}, tokens)).status_code


@on_every_database
async def test_S44_a_change_of_roles_applies_to_the_next_request(notes_api: Api) -> None:
    api = notes_api
    admin = await api.login(await api.register_superuser())
    user = await api.register()
    tokens = await api.login(user)
    assert await statuses(api, None) == (401, 401)
    assert await statuses(api, admin) == (200, 200)
    assert await statuses(api, tokens) == (403, 403)
    reader, writer = await add_role(api, admin, READ), await add_role(api, admin, WRITE, WRITE)
    await give(api, admin, user.id, reader)
    assert await statuses(api, tokens) == (200, 403)
    await give(api, admin, user.id, writer, reader, reader)
    assert await statuses(api, tokens) == (200, 200)
    shown = await api.get(f"/admin/users/{user.id}/roles", admin)
    assert shown.json() == {"roles": sorted([reader, writer])}
    changed = await api.call("PUT", f"/admin/roles/{writer}", admin, json={"permissions": []})
    assert changed.json() == {"name": writer, "permissions": [], "unknown_permissions": []}
    assert await statuses(api, tokens) == (200, 403)
    assert (await api.call("DELETE", f"/admin/roles/{reader}", admin)).status_code == 200
    assert await statuses(api, tokens) == (403, 403)
    assert (await api.get(f"/admin/users/{user.id}/roles", admin)).json() == {"roles": [writer]}
    await give(api, admin, user.id)
    assert (await api.get(f"/admin/users/{user.id}/roles", admin)).json() == {"roles": []}


async def test_S44_a_refusal_is_not_permitted_and_nothing_else(notes_api: Api) -> None:
    tokens = await notes_api.login(await notes_api.register())
    refused = await notes_api.get("/notes", tokens)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
    unknown = await notes_api.get("/notes")
    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")


async def test_S44_ended_sessions_and_inactive_accounts_have_no_permission(notes_api: Api) -> None:
    api = notes_api
    admin = await api.login(await api.register_superuser())
    user = await api.register()
    await give(api, admin, user.id, await add_role(api, admin, READ))
    tokens = await api.login(user)
    assert (await api.get("/notes", tokens)).status_code == 200
    await api.post("/auth/logout", {"refresh_token": tokens.refresh})
    assert (await api.get("/notes", tokens)).status_code == 401
    tokens = await api.login(user)
    await api.call("PATCH", f"/admin/users/{user.id}", admin, json={"is_active": False})
    assert (await api.get("/notes", tokens)).status_code == 401


async def test_S44_only_superusers_manage_roles(notes_api: Api) -> None:
    api = notes_api
    admin = await api.login(await api.register_superuser())
    role = await add_role(api, admin, READ, WRITE)
    user = await api.register()
    await give(api, admin, user.id, role)
    tokens = await api.login(user)
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/admin/roles", {}),
        ("GET", "/admin/permissions", {}),
        ("POST", "/admin/roles", {"json": {"name": new_name(), "permissions": []}}),
        ("PUT", f"/admin/roles/{role}", {"json": {"permissions": []}}),
        ("DELETE", f"/admin/roles/{role}", {}),
        ("GET", f"/admin/users/{user.id}/roles", {}),
        ("PUT", f"/admin/users/{user.id}/roles", {"json": {"roles": []}}),
    ]
    for method, path, body in calls:
        assert (await api.call(method, path, tokens, **body)).status_code == 403, path
        assert (await api.call(method, path, **body)).status_code == 401, path
    assert await statuses(api, tokens) == (200, 200)


async def test_S44_fields_of_an_account_grant_no_role(notes_api: Api) -> None:
    user = await notes_api.register(roles=["admin"], permissions=[READ])
    tokens = await notes_api.login(user)
    answer = await notes_api.call("PUT", "/auth/me", tokens, json={"first_name": "A", "roles": ["admin"]})
    assert answer.status_code == 200
    assert await statuses(notes_api, tokens) == (403, 403)


async def test_S44_a_user_sees_the_own_permissions(notes_api: Api) -> None:
    api = notes_api
    admin = await api.login(await api.register_superuser())
    user = await api.register()
    await give(api, admin, user.id, await add_role(api, admin, WRITE, READ), await add_role(api, admin, READ))
    own = await api.get("/auth/permissions", await api.login(user))
    assert own.json() == {"permissions": [READ, WRITE]}
    assert (await api.get("/auth/permissions")).status_code == 401
    declared = (await api.get("/admin/permissions", admin)).json()
    assert {"name": READ, "description": "Read notes."} in declared
    assert (await api.get("/auth/permissions", admin)).json()["permissions"] == sorted(one["name"] for one in declared)


async def test_S44_a_permission_that_no_feature_declares_cannot_be_granted(notes_api: Api) -> None:
    api = notes_api
    admin = await api.login(await api.register_superuser())
    body = {"name": new_name(), "permissions": [READ, "notes:burn"]}
    refused = await api.post("/admin/roles", body, admin)
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_permission")
    assert "notes:burn" in refused.json()["detail"]
    assert READ not in refused.json()["detail"]
    role = await add_role(api, admin, READ)
    refused = await api.call("PUT", f"/admin/roles/{role}", admin, json={"permissions": ["notes:burn"]})
    assert refused.status_code == 400
    shown = {one["name"]: one["permissions"] for one in (await api.get("/admin/roles", admin)).json()}
    assert shown[role] == [READ]
    assert body["name"] not in shown


@on_every_database
async def test_S44_permissions_of_a_removed_feature_are_shown_and_grant_nothing(api: Api) -> None:
    """The built-in service does not have the notes."""
    admin = await api.login(await api.register_superuser())
    user = await api.register()
    tokens = await api.login(user)
    role = await add_role(api, admin)
    async with api.state.database.write() as session:
        await session.execute(insert(RolePermission).values(role=role, permission=READ))
    await give(api, admin, user.id, role)
    (shown,) = [one for one in (await api.get("/admin/roles", admin)).json() if one["name"] == role]
    assert shown == {"name": role, "permissions": [], "unknown_permissions": [READ]}
    assert (await api.get("/auth/permissions", tokens)).json() == {"permissions": []}
    key = {"name": "k", "scopes": [READ], "expires_in_days": None}
    assert (await api.post("/auth/api-keys", key, tokens)).json()["code"] == "unknown_permission"
    changed = await api.call("PUT", f"/admin/roles/{role}", admin, json={"permissions": []})
    assert changed.json()["unknown_permissions"] == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Admin",
        "admin ",
        " admin",
        "rôle",
        "\uff41dmin",
        "\u0430dmin",
        "a" * 51,
        "1st",
        "a.b",
        "a%",
        "a\n",
        "admin\0",
    ],
)
async def test_S44_role_names_cannot_look_alike(api: Api, name: str) -> None:
    admin = await api.login(await api.register_superuser())
    answer = await api.post("/admin/roles", {"name": name, "permissions": []}, admin)
    assert answer.status_code == 422
    user = await api.register()
    answer = await api.call("PUT", f"/admin/users/{user.id}/roles", admin, json={"roles": [name]})
    assert answer.status_code == 422


@on_every_database
async def test_S44_wildcards_in_a_role_name_match_nothing_else(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    name = new_name()
    assert (await api.post("/admin/roles", {"name": f"{name}-x", "permissions": []}, admin)).status_code == 201
    assert (await api.call("DELETE", f"/admin/roles/{name}_x", admin)).status_code == 404
    assert (await api.call("PUT", f"/admin/roles/{name}_x", admin, json={"permissions": []})).status_code == 404
    assert (await api.call("DELETE", f"/admin/roles/{name}%25", admin)).status_code == 422
    assert (await api.call("DELETE", f"/admin/roles/{name}-x", admin)).status_code == 200


@on_every_database
async def test_S44_of_simultaneous_creations_of_a_role_one_succeeds(notes_api: Api) -> None:
    admin = await notes_api.login(await notes_api.register_superuser())
    body = {"name": new_name(), "permissions": [READ]}
    answers = await asyncio.gather(*(notes_api.post("/admin/roles", body, admin) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"role_exists"}


@on_every_database
async def test_S44_unknown_roles_and_accounts_are_not_found(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    user = await api.register()
    nobody = "00000000-0000-4000-8000-000000000000"
    missing = new_name()
    answer = await api.call("PUT", f"/admin/users/{user.id}/roles", admin, json={"roles": [missing]})
    assert (answer.status_code, answer.json()["code"]) == (404, "role_not_found")
    for method, body in (("GET", {}), ("PUT", {"json": {"roles": []}})):
        assert (await api.call(method, f"/admin/users/{nobody}/roles", admin, **body)).status_code == 404
    assert (await api.call("PUT", f"/admin/roles/{missing}", admin, json={"permissions": []})).status_code == 404
    assert (await api.call("DELETE", f"/admin/roles/{missing}", admin)).status_code == 404


@on_every_database
async def test_S44_a_role_that_is_deleted_while_it_is_given_leaves_no_error(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    for _ in range(3):
        user = await api.register()
        role = await add_role(api, admin)
        given, deleted, changed = await asyncio.gather(
            api.call("PUT", f"/admin/users/{user.id}/roles", admin, json={"roles": [role]}),
            api.call("DELETE", f"/admin/roles/{role}", admin),
            api.call("PUT", f"/admin/roles/{role}", admin, json={"permissions": []}),
        )
        assert deleted.status_code == 200
        assert {given.status_code, changed.status_code} <= {200, 404}
        assert (await api.get(f"/admin/users/{user.id}/roles", admin)).json() == {"roles": []}


async def test_S44_the_numbers_of_roles_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await api.login(await api.register_superuser())
    body = {"name": new_name(), "permissions": [f"a:b{number}" for number in range(101)]}
    assert (await api.post("/admin/roles", body, admin)).status_code == 422
    user = await api.register()
    roles_of_user = {"roles": [f"r{number}" for number in range(21)]}
    assert (await api.call("PUT", f"/admin/users/{user.id}/roles", admin, json=roles_of_user)).status_code == 422
    await add_role(api, admin)
    monkeypatch.setattr(roles, "MOST_ROLES", 1)
    refused = await api.post("/admin/roles", {"name": new_name(), "permissions": []}, admin)
    assert (refused.status_code, refused.json()["code"]) == (400, "too_many_roles")


async def test_S44_every_change_is_logged_with_the_superuser(notes_api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api = notes_api
    admin_user = await api.register_superuser()
    admin = await api.login(admin_user)
    user = await api.register()
    role = await add_role(api, admin, READ)
    await give(api, admin, user.id, role)
    await api.call("PUT", f"/admin/roles/{role}", admin, json={"permissions": [WRITE]})
    await api.call("DELETE", f"/admin/roles/{role}", admin)
    expected: dict[str, dict[str, object]] = {
        "role_created": {"role": role, "permissions": [READ]},
        "user_roles_changed": {"user_id": user.id, "roles": [role]},
        "role_changed": {"role": role, "permissions": [WRITE]},
        "role_deleted": {"role": role},
    }
    for event, fields in expected.items():
        (entry,) = audit_events(caplog, event)
        assert entry.items() >= {"by": admin_user.id, "ip": "127.0.0.1"}.items()
        assert {name: entry[name] for name in fields} == fields


async def test_S44_a_route_without_a_permission_reads_no_role(notes_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api = notes_api
    tokens = await api.login(await api.register_superuser())
    statements: list[str] = []
    one = Database.one

    async def counted(self: Database, statement: Any, values: Any) -> Any:
        statements.append(str(statement))
        return await one(self, statement, values)

    monkeypatch.setattr(Database, "one", counted)
    assert (await api.get("/auth/me", tokens)).status_code == 200
    assert (len(statements), "role" in statements[0]) == (1, False)
    assert (await api.get("/notes", tokens)).status_code == 200
    assert (len(statements), "role" in statements[1]) == (2, True)


UNDECLARED = APIRouter(prefix="/api/v1/drafts", dependencies=[Depends(requires("drafts:read"))])


@UNDECLARED.get("/{draft_id}")
async def read_draft(draft_id: str) -> str:
    return draft_id


async def nested(user: object = Depends(requires("drafts:read"))) -> object:
    return user


NESTED = APIRouter()


@NESTED.websocket("/drafts")
async def follow_drafts(_: object = Depends(nested)) -> None:
    """Never called."""


INNER = FastAPI()
INNER.include_router(UNDECLARED)
MOUNTED = APIRouter()
MOUNTED.mount("/more", INNER)

LINE = "requires the permission 'drafts:read', which no feature declares; add it to `permissions` of a feature"


@pytest.mark.parametrize("field", ["routers", "hot_routers"])
@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("UNDECLARED", "GET /api/v1/drafts/{draft_id}"),
        ("NESTED", "/drafts"),
        ("MOUNTED", "GET /more/api/v1/drafts/{draft_id}"),
    ],
)
def test_S44_an_application_with_an_undeclared_permission_is_not_created(
    service_settings: Callable[..., Settings], name: str, route: str, field: str
) -> None:
    drafts = replace(Feature(name="drafts"), **{field: f"{__name__}:{name}"})
    with pytest.raises(FeatureError) as raised:
        create_application(Service(name="s", features=(*service.features, drafts)), service_settings())
    assert str(raised.value) == f"route {route} {LINE}"
    declared = replace(drafts, permissions=(Permission("drafts:read", "Read drafts."),))
    create_application(Service(name="s", features=(*service.features, declared)), service_settings())


async def plain(_: Request) -> Response:
    return PlainTextResponse("open")


PROTECTED = {"dependencies": [Depends(requires("drafts:read"))]}
WITH_MOUNT = APIRouter(**PROTECTED)
WITH_MOUNT.mount("/files", INNER)
WITH_PLAIN_ROUTE = APIRouter()
INCLUDED = APIRouter()
INCLUDED.add_route("/plain", plain)
WITH_PLAIN_ROUTE.include_router(INCLUDED, prefix="/drafts", **PROTECTED)
BELOW_PROTECTED = APIRouter(**PROTECTED)
BELOW_PROTECTED.include_router(INCLUDED)


@pytest.mark.parametrize("field", ["routers", "hot_routers"])
@pytest.mark.parametrize(
    ("name", "path"), [("WITH_MOUNT", "/files"), ("WITH_PLAIN_ROUTE", "/plain"), ("BELOW_PROTECTED", "/plain")]
)
def test_S44_a_route_to_which_dependencies_do_not_apply_is_refused(
    service_settings: Callable[..., Settings], name: str, path: str, field: str
) -> None:
    permission = Permission("drafts:read", "Read drafts.")
    drafts = replace(Feature(name="drafts", permissions=(permission,)), **{field: f"{__name__}:{name}"})
    with pytest.raises(FeatureError, match=rf"^feature drafts: {field}: .* {path}: FastAPI ignores the dependencies"):
        create_application(Service(name="s", features=(*service.features, drafts)), service_settings())


async def test_S44_an_undeclared_permission_grants_nothing_where_the_check_finds_no_route(
    service_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("draft", encoding="utf-8")
    frontend = APIRouter(**PROTECTED)
    frontend.frontend("/drafts", directory=tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "FRONTEND", frontend, raising=False)
    drafts = Feature(name="drafts", routers=f"{__name__}:FRONTEND")
    declared = replace(drafts, permissions=(Permission("drafts:read", "Read drafts."),))
    name = new_name()
    for feature, expected in ((drafts, 500), (declared, 200)):
        settings = service_settings()
        app = create_application(Service(name="s", features=(*service.features, feature)), settings)
        async with running(app, settings) as api:
            user = await api.register()
            async with api.state.database.write() as session:
                if feature is drafts:  # what a removed feature leaves behind
                    await session.execute(insert(Role).values(name=name))
                    await session.execute(insert(RolePermission).values(role=name, permission="drafts:read"))
                await session.execute(insert(UserRole).values(user_id=UUID(user.id), role=name))
            token = {"Authorization": f"Bearer {(await api.login(user)).access}"}
            answer = await api.client.get("/drafts/", headers=token)
            assert answer.status_code == expected
            assert (answer.text == "draft") == (expected == 200)


def test_S44_a_service_without_a_feature_refuses_routes_that_need_its_permissions() -> None:
    from tests.support.notes import router

    with pytest.raises(FeatureError, match="GET /api/v1/notes requires the permission 'notes:read'"):
        check_permissions(service, router.routes)
    check_permissions(notes_service, router.routes)


@pytest.mark.parametrize("name", ["notes", "notes:", ":read", "Notes:read", "notes:read:all", "n" * 25 + ":x", "a b:c"])
def test_a_permission_has_an_area_and_an_action(name: str) -> None:
    with pytest.raises(FeatureError, match="the name must be area:action") as raised:
        Service(name="s", features=(Feature(name="x", permissions=(Permission(name, "Do it."),)),))
    assert "\n" not in str(raised.value)


def test_a_permission_is_declared_once() -> None:
    with pytest.raises(FeatureError, match="the permission notes:read is defined twice"):
        Service(name="s", features=(notes, Feature(name="x", permissions=(Permission(READ, "Read."),))))


def test_S44_the_document_shows_who_can_call_a_route(service_settings: Callable[..., Settings]) -> None:
    document = create_application(notes_service, service_settings()).openapi()
    for method, path in (("get", "/api/v1/notes"), ("post", "/api/v1/notes")):
        operation = document["paths"][path][method]
        assert operation["security"] == [{"bearer": []}, {"apiKey": []}]
        assert {"401", "403"} <= set(operation["responses"])
        assert operation["responses"]["403"]["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
    own = document["paths"]["/api/v1/notes/own"]["get"]
    assert own["security"] == [{"bearer": []}]
    assert {"401", "403"} <= set(own["responses"])
    scheme = document["components"]["securitySchemes"]["apiKey"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "X-API-Key")
    assert json.dumps(document)


@on_every_database
async def test_roles_without_permissions_are_listed(api: Api) -> None:
    admin = await api.login(await api.register_superuser())
    name = new_name()
    async with api.state.database.write() as session:
        await session.execute(insert(Role).values(name=name))
    listed = [one for one in (await api.get("/admin/roles", admin)).json() if one["name"] == name]
    assert listed == [{"name": name, "permissions": [], "unknown_permissions": []}]
