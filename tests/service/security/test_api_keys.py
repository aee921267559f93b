"""API keys act as their owner within their scopes, and end with the access of their owner."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from inference_core.auth.api_keys import uses
from inference_core.auth.api_keys.keys import NO_SECRET_HASH, PATTERN, PlainKey
from inference_core.auth.api_keys.repository import ApiKeyRepository
from inference_core.auth.mail.tokens import make_mailed_token
from inference_core.auth.models import ApiKey, Role, RolePermission, UserRole
from inference_core.auth.purge import purge
from inference_core.auth.repository import UserRepository
from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database, DatabaseUnavailableError
from inference_core.llm.feature import USE_LLM
from inference_core.maintenance.feature import PURGE_EXPIRED
from inference_core.tasks import views
from inference_core.tasks.feature import READ_MONITORING, USE_TASKS
from inference_core.tasks.schemas import ActiveTasks
from inference_core.tasks.snapshot import Snapshot
from tests.service.conftest import AppFactory
from tests.support.accounts import PASSWORD, Api, Tokens, User, audit_events, new_name
from tests.support.notes import READ, WRITE
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


async def grant(api: Api, user: User, *permissions: str) -> str:
    """Give the user a role of its own with these permissions."""
    name = new_name()
    async with api.state.database.write() as session:
        await session.execute(insert(Role).values(name=name))
        for permission in permissions:
            await session.execute(insert(RolePermission).values(role=name, permission=permission))
        await session.execute(insert(UserRole).values(user_id=UUID(user.id), role=name))
    return name


def body_of(*scopes: str, **changes: Any) -> dict[str, Any]:
    return {"name": "machine", "scopes": scopes, "expires_in_days": None} | changes


async def add_key(api: Api, tokens: Tokens, *scopes: str, **changes: Any) -> dict[str, Any]:
    answer = await api.post("/auth/api-keys", body_of(*scopes, **changes), tokens)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def as_bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def as_header(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


async def status(api: Api, key: str, method: str = "GET", path: str = "/notes", **options: Any) -> int:
    return (await api.call(method, path, headers=as_header(key), **options)).status_code


@pytest.fixture
async def owner(notes_api: Api) -> User:
    """A user who can read and write notes."""
    user = await notes_api.register()
    await grant(notes_api, user, READ, WRITE)
    return user


def test_S45_a_key_has_a_form_that_scanners_find() -> None:
    key = PlainKey.new()
    assert PATTERN.fullmatch(key.text)
    assert PATTERN.search(f'api_key = "{key.text}"')
    assert PlainKey.parse(key.text) == key
    assert key.text.startswith(f"{key.prefix}_")
    assert len({PlainKey.new().secret for _ in range(100)}) == 100
    for changed in (key.text[:-1] + ("0" if key.text[-1] != "0" else "1"), key.text.upper(), f"{key.text}\n", ""):
        assert PlainKey.parse(changed) is None
    assert key.secret not in repr(key)


@on_every_database
async def test_S45_a_key_is_shown_once_and_stored_as_a_hash(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    created = await add_key(notes_api, tokens, WRITE, READ, READ, expires_in_days=30)
    key = PlainKey.parse(created["key"])
    assert key is not None
    assert (created["id"], created["prefix"], created["name"]) == (key.id, key.prefix, "machine")
    assert created["scopes"] == [READ, WRITE]
    lifetime = datetime.fromisoformat(created["expires_at"]) - datetime.fromisoformat(created["created_at"])
    assert lifetime == timedelta(days=30)
    (listed,) = (await notes_api.get("/auth/api-keys", tokens)).json()
    assert listed == {name: value for name, value in created.items() if name != "key"}
    async with notes_api.state.database.read() as session:
        row = (await session.execute(select(ApiKey.__table__).where(ApiKey.id == key.id))).one()
    assert row.secret_hash == hashlib.sha256(key.secret.encode()).hexdigest()
    assert key.secret not in str(row)


@on_every_database
async def test_S45_unknown_keys_cause_the_same_work_as_wrong_secrets(
    notes_api: Api, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await add_key(notes_api, await notes_api.login(owner), READ)
    wrong, unknown = PlainKey(created["id"], PlainKey.new().secret), PlainKey.new()
    work: list[tuple[str, object]] = []
    one, compare = Database.one, hmac.compare_digest

    async def read(self: Database, statement: Any, values: Any) -> Any:
        work.append(("read", str(statement)))
        return await one(self, statement, values)

    def compared(given: Any, stored: Any) -> bool:
        work.append(("compare", len(stored)))
        return compare(given, stored)

    monkeypatch.setattr(Database, "one", read)
    monkeypatch.setattr(hmac, "compare_digest", compared)
    answers, costs = [], []
    for key in (wrong, unknown):
        work.clear()
        answer = await notes_api.get("/notes", headers=as_header(key.text))
        answers.append((answer.status_code, {**answer.json(), "request_id": ""}))
        costs.append(list(work))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert costs[0] == costs[1]
    assert [kind for kind, _ in costs[0]] == ["read", "compare"]
    assert len(NO_SECRET_HASH) == len(unknown.secret_hash)


async def test_S45_a_text_that_is_no_key_causes_no_query(notes_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise AssertionError("a query")

    monkeypatch.setattr(Database, "one", fail)
    valid = PlainKey.new().text
    for text in ("", " ", "ick_", "ick_" + "a" * 60_000, valid[:-1] + "x", valid.replace("_", "-"), "\xff", "é" * 69):
        for headers in (as_header(text), as_bearer(f"ick_{text.removeprefix('ick_')}")):
            raw = {name: value.encode("latin-1") for name, value in headers.items()}
            answer = await notes_api.client.get("/api/v1/notes", headers=raw)
            assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), text[:20]


async def test_S45_a_key_is_in_no_log_and_no_error(
    notes_api: Api,
    owner: User,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = await notes_api.login(owner)
    created = await add_key(notes_api, tokens, READ)
    key = PlainKey.parse(created["key"])
    assert key is not None
    assert await status(notes_api, key.text) == 200
    answers = [
        await notes_api.call(method, path, headers=as_header(key.text))
        for method, path in (("POST", "/notes"), ("GET", "/auth/me"), ("GET", f"/notes?api_key={key.text}"))
    ]
    assert await status(notes_api, key.text[:-1] + "z") == 401

    async def fail(*_: object) -> None:
        raise RuntimeError("the database")

    monkeypatch.setattr(Database, "one", fail)
    answers.append(await notes_api.get("/notes", headers=as_header(key.text)))
    assert answers[-1].status_code == 500
    monkeypatch.undo()
    await notes_api.call("DELETE", f"/auth/api-keys/{key.id}", tokens)
    written = "".join(str(record.msg) for record in caplog.records) + "".join(capfd.readouterr())
    for text in (written, *(answer.text for answer in answers)):
        assert key.secret not in text
        assert key.secret_hash not in text
    (made,), (revoked,) = audit_events(caplog, "api_key_created"), audit_events(caplog, "api_key_revoked")
    assert (made["user_id"], made["api_key_id"], made["scopes"]) == (owner.id, key.id, [READ])
    assert (revoked["user_id"], revoked["api_key_id"]) == (owner.id, key.id)
    assert all(record["user_id"] == owner.id for record in (made, revoked))


@on_every_database
async def test_S46_a_key_has_its_scopes_and_no_more(notes_api: Api, owner: User) -> None:
    key = (await add_key(notes_api, await notes_api.login(owner), READ))["key"]
    for headers in (as_header(key), as_bearer(key), {"Authorization": f"bearer  {key} "}):
        seen = await notes_api.get("/notes", headers=headers)
        assert seen.json() == {"user": owner.id, "by_key": PATTERN.fullmatch(key)["id"], "acts_as_superuser": False}
        refused = await notes_api.call("POST", "/notes", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")


@on_every_database
async def test_S46_a_key_has_only_permissions_that_its_owner_still_has(notes_api: Api, owner: User) -> None:
    admin = await notes_api.login(await notes_api.register_superuser())
    key = (await add_key(notes_api, await notes_api.login(owner), READ))["key"]
    assert await status(notes_api, key) == 200
    path = f"/admin/users/{owner.id}/roles"
    roles = (await notes_api.get(path, admin)).json()
    assert (await notes_api.call("PUT", path, admin, json={"roles": []})).status_code == 200
    assert await status(notes_api, key) == 403
    assert (await notes_api.call("PUT", path, admin, json=roles)).status_code == 200
    assert await status(notes_api, key) == 200


async def test_S46_a_key_of_a_superuser_has_only_its_scopes(notes_api: Api) -> None:
    admin = await notes_api.login(await notes_api.register_superuser())
    key = (await add_key(notes_api, admin, READ))["key"]
    assert (await notes_api.get("/notes", headers=as_header(key))).json()["acts_as_superuser"] is False
    assert await status(notes_api, key, "POST") == 403
    assert await status(notes_api, key, "GET", "/admin/users") == 403


@on_every_database
async def test_S46_nobody_gives_a_key_more_than_they_have(notes_api: Api) -> None:
    user = await notes_api.register()
    await grant(notes_api, user, READ)
    tokens = await notes_api.login(user)
    refused = await notes_api.post("/auth/api-keys", body_of(READ, WRITE), tokens)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
    assert WRITE in refused.json()["detail"]
    assert READ not in refused.json()["detail"]
    unknown = await notes_api.post("/auth/api-keys", body_of("notes:burn"), tokens)
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown_permission")
    assert (await notes_api.get("/auth/api-keys", tokens)).json() == []


async def test_S46_routes_of_the_account_refuse_keys(notes_api: Api) -> None:
    """Also a key of a superuser: it can neither create keys nor change roles."""
    user = await notes_api.register_superuser()
    tokens = await notes_api.login(user)
    created = await add_key(notes_api, tokens, READ)
    change = {"current_password": PASSWORD, "new_password": "AnotherPass456!"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/auth/me", {}),
        ("PUT", "/auth/me", {"json": {"first_name": "A"}}),
        ("POST", "/auth/change-password", {"json": change}),
        ("POST", "/auth/request-verification", {}),
        ("GET", "/auth/permissions", {}),
        ("GET", "/auth/sessions", {}),
        ("DELETE", "/auth/sessions", {}),
        ("GET", "/auth/api-keys", {}),
        ("POST", "/auth/api-keys", {"json": body_of(READ)}),
        ("DELETE", f"/auth/api-keys/{created['id']}", {}),
        ("GET", "/admin/users", {}),
        ("PUT", f"/admin/users/{user.id}/roles", {"json": {"roles": []}}),
        ("POST", "/admin/roles", {"json": {"name": new_name(), "permissions": [READ]}}),
        ("GET", "/notes/own", {}),
    ]
    for method, path, options in calls:
        for headers in (as_header(created["key"]), as_bearer(created["key"]), as_header(""), as_header("x")):
            answer = await notes_api.call(method, path, headers=headers, **options)
            assert (answer.status_code, answer.json()["code"]) == (403, "api_key_not_accepted"), path
    assert len((await notes_api.get("/auth/api-keys", tokens)).json()) == 1


async def test_S46_a_route_for_every_user_accepts_keys_with_its_scope(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    reading, writing = [(await add_key(notes_api, tokens, scope))["key"] for scope in (READ, WRITE)]
    path = "/notes/shared"
    assert (await notes_api.get(path)).json()["user"] is None
    nobody = await notes_api.register()
    assert (await notes_api.get(path, await notes_api.login(nobody))).json()["user"] == nobody.id
    assert (await notes_api.get(path, headers=as_header(reading))).json()["user"] == owner.id
    assert await status(notes_api, writing, path=path) == 403
    assert await status(notes_api, PlainKey.new().text, path=path) == 401


async def test_S46_keys_belong_to_their_owner(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    created = await add_key(notes_api, tokens, READ)
    admin = await notes_api.login(await notes_api.register_superuser())
    for stranger in (admin, await notes_api.login(await notes_api.register())):
        assert (await notes_api.get("/auth/api-keys", stranger)).json() == []
        foreign = await notes_api.call("DELETE", f"/auth/api-keys/{created['id']}", stranger)
        unknown = await notes_api.call("DELETE", f"/auth/api-keys/{'0' * 12}", stranger)
        assert (foreign.status_code, foreign.json()["code"]) == (404, "api_key_not_found")
        assert foreign.json()["detail"] == unknown.json()["detail"]
    assert await status(notes_api, created["key"]) == 200


async def test_S47_a_request_has_one_credential(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    key, other = [(await add_key(notes_api, tokens, READ))["key"] for _ in range(2)]
    bearer, header = ("Authorization", f"Bearer {tokens.access}"), ("X-API-Key", key)
    for headers in (
        [bearer, header],
        [header, bearer],
        [("Authorization", f"Bearer {key}"), header],
        [("Authorization", f"Bearer {key}"), ("X-API-Key", other)],
        [header, ("X-API-Key", other)],
        [header, header],
        [bearer, ("Authorization", f"Bearer {key}")],
        [bearer, ("X-API-Key", "")],
    ):
        for path in ("/api/v1/notes", "/api/v1/notes/shared", "/api/v1/auth/me"):
            answer = await notes_api.client.get(path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "ambiguous_credentials")
    basic = await notes_api.client.get("/api/v1/notes", headers=[("Authorization", "Basic YTpi"), header])
    assert basic.status_code == 200


async def test_S47_a_key_in_a_query_is_not_read(notes_api: Api, owner: User) -> None:
    key = (await add_key(notes_api, await notes_api.login(owner), READ))["key"]
    for name in ("api_key", "X-API-Key", "x-api-key", "access_token", "token", "Authorization"):
        assert (await notes_api.get(f"/notes?{name}={key}")).status_code == 401
        assert (await notes_api.get(f"/notes/shared?{name}={key}")).json()["user"] is None


@on_every_database
async def test_S48_a_revoked_key_is_refused_from_the_next_request_on(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    created, kept = await add_key(notes_api, tokens, READ), await add_key(notes_api, tokens, READ)
    assert (await notes_api.call("DELETE", f"/auth/api-keys/{created['id']}", tokens)).status_code == 200
    assert await status(notes_api, created["key"]) == 401
    assert await status(notes_api, kept["key"]) == 200
    again = await notes_api.call("DELETE", f"/auth/api-keys/{created['id']}", tokens)
    assert again.status_code == 404


@on_every_database
async def test_S48_an_expired_key_is_refused_and_purged(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    expired, valid = [await add_key(notes_api, tokens, READ, expires_in_days=1) for _ in range(2)]
    endless = await add_key(notes_api, tokens, READ)
    past = utc_now() - timedelta(seconds=1)
    async with notes_api.state.database.write() as session:
        await session.execute(update(ApiKey).where(ApiKey.id == expired["id"]).values(expires_at=past))
    assert [await status(notes_api, key["key"]) for key in (expired, valid, endless)] == [401, 200, 200]
    assert await purge(notes_api.settings) >= 1
    left = {key["id"] for key in (await notes_api.get("/auth/api-keys", tokens)).json()}
    assert left == {valid["id"], endless["id"]}


async def change_password(api: Api, user: User, tokens: Tokens, **more: object) -> None:
    body = {"current_password": user.password, "new_password": "AnotherPass456!", **more}
    assert (await api.post("/auth/change-password", body, tokens)).status_code == 200


async def reset_password(api: Api, user: User, _: Tokens) -> None:
    made = await make_mailed_token(api.settings, user.email, "reset")
    assert made is not None
    body = {"token": made.token, "new_password": "AnotherPass456!"}
    assert (await api.post("/auth/reset-password", body)).status_code == 200


async def end_all_sessions(api: Api, _: User, tokens: Tokens) -> None:
    assert (await api.call("DELETE", "/auth/sessions", tokens)).status_code == 200


async def end_sessions_as_superuser(api: Api, user: User, _: Tokens) -> None:
    admin = await api.login(await api.register_superuser())
    assert (await api.call("DELETE", f"/admin/users/{user.id}/sessions", admin)).status_code == 200


async def deactivate_and_reactivate(api: Api, user: User, _: Tokens) -> None:
    admin = await api.login(await api.register_superuser())
    for active in (False, True):
        answer = await api.call("PATCH", f"/admin/users/{user.id}", admin, json={"is_active": active})
        assert answer.status_code == 200


@on_every_database
@pytest.mark.parametrize(
    "end",
    [change_password, reset_password, end_all_sessions, end_sessions_as_superuser, deactivate_and_reactivate],
    ids=lambda end: end.__name__,
)
async def test_S48_what_ends_the_sessions_of_an_account_ends_its_keys(
    notes_api: Api, owner: User, end: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    tokens = await notes_api.login(owner)
    key = (await add_key(notes_api, tokens, READ))["key"]
    bystander = await notes_api.register()
    await grant(notes_api, bystander, READ)
    other = (await add_key(notes_api, await notes_api.login(bystander), READ))["key"]
    await end(notes_api, owner, tokens)
    assert [await status(notes_api, one) for one in (key, other)] == [401, 200]
    (event,) = audit_events(caplog, "api_keys_revoked")
    assert event["user_id"] == owner.id


async def test_S48_a_change_of_password_keeps_keys_only_on_request(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    key = (await add_key(notes_api, tokens, READ))["key"]
    await change_password(notes_api, owner, tokens, keep_api_keys=True)
    assert await status(notes_api, key) == 200


async def test_S48_a_key_of_an_inactive_account_is_refused(notes_api: Api, owner: User) -> None:
    key = (await add_key(notes_api, await notes_api.login(owner), READ))["key"]
    async with notes_api.state.database.write() as session:
        await UserRepository(session).change(UUID(owner.id), is_active=False)
    assert await status(notes_api, key) == 401


@on_every_database
async def test_S48_a_key_that_is_created_during_a_reset_does_not_survive_it(
    notes_api: Api, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request was authenticated before the reset, and creates the key after it."""
    tokens = await notes_api.login(owner)
    lock = UserRepository.lock

    async def reset_first(self: UserRepository, user_id: UUID) -> Any:
        monkeypatch.setattr(UserRepository, "lock", lock)
        await reset_password(notes_api, owner, tokens)
        return await lock(self, user_id)

    monkeypatch.setattr(UserRepository, "lock", reset_first)
    assert (await notes_api.post("/auth/api-keys", body_of(READ), tokens)).status_code == 401
    relogin = await notes_api.login(owner, "AnotherPass456!")
    assert (await notes_api.get("/auth/api-keys", relogin)).json() == []


@on_every_database
async def test_S48_simultaneous_requests_do_not_exceed_the_number_of_keys(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    most = notes_api.settings.api_keys_per_user
    for _ in range(most - 2):
        await add_key(notes_api, tokens, READ)
    answers = await asyncio.gather(
        *(notes_api.post("/auth/api-keys", body_of(READ), tokens) for _ in range(5)),
    )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 400, 400, 400]
    assert {answer.json().get("code") for answer in answers} == {None, "too_many_api_keys"}
    assert len((await notes_api.get("/auth/api-keys", tokens)).json()) == most


async def test_S48_keys_can_be_switched_off(start_app: AppFactory) -> None:
    async with start_app(api_keys_per_user=0) as api:
        admin = await api.login(await api.register_superuser())
        answer = await api.post("/auth/api-keys", body_of(READ_MONITORING), admin)
        assert (answer.status_code, answer.json()["code"]) == (400, "too_many_api_keys")


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": [f"a:b{number}" for number in range(51)]},
        {"scopes": ["notes"]},
        {"scopes": [f"{READ}\n"]},
        {"scopes": [f"{READ} {WRITE}"]},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"expires_in_days": 0},
        {"expires_in_days": 3651},
        {"expires_in_days": -1},
    ],
)
async def test_S48_the_fields_of_a_key_are_bounded(notes_api: Api, owner: User, changes: dict[str, Any]) -> None:
    tokens = await notes_api.login(owner)
    answer = await notes_api.post("/auth/api-keys", body_of(READ) | changes, tokens)
    assert answer.status_code == 422
    without = {name: value for name, value in body_of(READ).items() if name != "expires_in_days"}
    assert (await notes_api.post("/auth/api-keys", without, tokens)).status_code == 422


async def last_used(api: Api, tokens: Tokens) -> datetime | None:
    (listed,) = (await api.get("/auth/api-keys", tokens)).json()
    return datetime.fromisoformat(listed["last_used_at"]) if listed["last_used_at"] else None


@on_every_database
async def test_the_last_use_is_stored_once_a_minute_beside_the_requests(
    notes_api: Api, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await notes_api.login(owner)
    key = (await add_key(notes_api, tokens, READ))["key"]
    key_uses = notes_api.auth.key_uses
    before = utc_now()
    for _ in range(3):
        assert await status(notes_api, key) == 200
    assert await last_used(notes_api, tokens) is None
    await key_uses.store()
    first = await last_used(notes_api, tokens)
    assert first is not None
    assert before <= first <= utc_now()
    assert await status(notes_api, key) == 200
    assert not key_uses.waiting
    # Another process has not seen that the use is stored.
    key_uses.note(PATTERN.fullmatch(key)["id"], None, utc_now())
    await key_uses.store()
    assert await last_used(notes_api, tokens) == first
    monkeypatch.setattr(uses, "AT_MOST_EVERY", timedelta(0))
    assert await status(notes_api, key) == 200
    await key_uses.store()
    later = await last_used(notes_api, tokens)
    assert later is not None
    assert later > first


@on_every_database
async def test_the_use_of_a_deleted_key_is_no_error(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    created = await add_key(notes_api, tokens, READ)
    assert await status(notes_api, created["key"]) == 200
    await notes_api.call("DELETE", f"/auth/api-keys/{created['id']}", tokens)
    await notes_api.auth.key_uses.store()
    assert not notes_api.auth.key_uses.waiting
    assert (await notes_api.get("/auth/api-keys", tokens)).json() == []


async def test_a_last_use_that_cannot_be_stored_fails_no_request(
    notes_api: Api, owner: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = (await add_key(notes_api, await notes_api.login(owner), READ))["key"]
    assert await status(notes_api, key) == 200

    def unavailable(_: Database) -> None:
        raise DatabaseUnavailableError

    with monkeypatch.context() as broken:
        broken.setattr(Database, "write", unavailable)
        await notes_api.auth.key_uses.store()
    assert "key_uses_not_stored" in caplog.text
    assert await status(notes_api, key) == 200


def test_the_number_of_waiting_uses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "MOST_WAITING", 2)
    waiting = uses.KeyUses(database=None)  # type: ignore[arg-type]  # nothing is stored
    times = [datetime(2026, 1, 1, second=second, tzinfo=UTC) for second in range(4)]
    for key_id, now in zip("abca", times, strict=True):
        waiting.note(key_id, None, now)
    assert waiting.waiting == {"a": times[3], "b": times[1]}
    waiting.note("d", times[3], times[3] + timedelta(seconds=59))
    assert "d" not in waiting.waiting


async def test_the_last_uses_are_stored_when_the_process_stops(start_app: AppFactory) -> None:
    async with start_app() as api:
        user = await api.register_superuser()
        created = await add_key(api, await api.login(user), READ_MONITORING)
        api.auth.key_uses.note(created["id"], None, utc_now())
    async with start_app() as api:
        assert await last_used(api, await api.login(user)) is not None


MONITORING = ("/tasks/health", "/tasks/workers/stats", "/tasks/active")


@pytest.mark.parametrize("access", ["superuser", "user"])
async def test_S49_keys_with_the_scope_read_the_monitoring_routes(start_app: AppFactory, access: str) -> None:
    async with start_app(monitoring_access=access) as api:
        user = await api.register()
        await grant(api, user, READ_MONITORING, USE_TASKS)
        tokens = await api.login(user)
        reading, other = [(await add_key(api, tokens, scope))["key"] for scope in (READ_MONITORING, USE_TASKS)]
        nobody = await api.login(await api.register())
        for path in MONITORING:
            assert [await status(api, key, path=path) for key in (reading, other)] == [200, 403]
            assert (await api.get(path, tokens)).status_code == 200
            assert (await api.get(path, nobody)).status_code == (200 if access == "user" else 403)
            assert (await api.get(path)).status_code == 401


async def test_S49_only_superusers_see_complete_ids_of_running_tasks(
    start_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[bool] = []
    active_tasks = views.active_tasks

    def noted(snapshot: Snapshot, *, whole_ids: bool) -> ActiveTasks:
        shown.append(whole_ids)
        return active_tasks(snapshot, whole_ids=whole_ids)

    monkeypatch.setattr(views, "active_tasks", noted)
    async with start_app(monitoring_access="superuser") as api:
        admin = await api.login(await api.register_superuser())
        user = await api.register()
        await grant(api, user, READ_MONITORING)
        key = (await add_key(api, admin, READ_MONITORING))["key"]
        for caller in (admin, await api.login(user)):
            assert (await api.get("/tasks/active", caller)).status_code == 200
        assert await status(api, key, path="/tasks/active") == 200
    assert shown == [True, False, False]


async def test_S49_a_key_reads_and_cancels_the_tasks_of_its_owner(api: Api) -> None:
    user, stranger = await api.register(), await api.register()
    await grant(api, user, USE_TASKS, READ_MONITORING)
    tokens = await api.login(user)
    using, other = [(await add_key(api, tokens, scope))["key"] for scope in (USE_TASKS, READ_MONITORING)]
    admin = await api.login(await api.register_superuser())
    foreign_key = (await add_key(api, admin, USE_TASKS))["key"]
    own, foreign = [await api.tasks.submit(PURGE_EXPIRED, owner=owner.id) for owner in (user, stranger)]
    path = f"/tasks/{own}/status"
    assert [await status(api, key, path=path) for key in (using, other, foreign_key)] == [200, 403, 404]
    assert await status(api, using, path=f"/tasks/{foreign}/status") == 404
    assert await status(api, using, "DELETE", f"/tasks/{own}") == 200


@pytest.mark.parametrize(("access", "expected"), [("public", 200), ("user", 200), ("superuser", 403)])
async def test_S49_a_key_with_the_scope_calls_the_llm_routes_as_its_owner(
    start_app: AppFactory, access: str, expected: int
) -> None:
    async with start_app(llm_api_access_mode=access) as api:
        user = await api.register()
        await grant(api, user, USE_LLM, USE_TASKS)
        tokens = await api.login(user)
        using, other = [(await add_key(api, tokens, scope))["key"] for scope in (USE_LLM, USE_TASKS)]
        admin = await api.login(await api.register_superuser())
        of_superuser = (await add_key(api, admin, USE_LLM))["key"]
        path = "/llm/models"
        assert [await status(api, key, path=path) for key in (using, of_superuser, other)] == [expected, expected, 403]
        # The usage of the account is not for keys.
        assert await status(api, using, path="/llm/usage") == 403


async def test_S49_an_answer_for_a_key_counts_as_usage_of_its_owner(start_app: AppFactory) -> None:
    async with start_app(llm_api_access_mode="user") as api:
        user = await api.register()
        await grant(api, user, USE_LLM)
        tokens = await api.login(user)
        key = (await add_key(api, tokens, USE_LLM))["key"]
        answer = await api.post("/llm/explain/stream", {"question": "Why?"}, headers=as_header(key))
        assert answer.status_code == 200
        usage = (await api.get("/llm/usage", tokens)).json()
        assert usage["totals"]["requests"] == 1


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
async def test_S48_keys_in_use_are_revoked_without_a_deadlock(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    first, second, third = sorted([(await add_key(notes_api, tokens, READ))["id"] for _ in range(3)])
    key_uses = notes_api.auth.key_uses
    for key_id in (first, second, third):
        key_uses.note(key_id, None, utc_now())
    async with notes_api.state.database.write() as session:
        # A transaction that revokes several keys does not lock them in the order of their ids.
        assert await ApiKeyRepository(session).delete(UUID(owner.id), second)
        async with asyncio.timeout(5):
            await key_uses.store()
        assert await ApiKeyRepository(session).delete(UUID(owner.id), first)
    (kept,) = (await notes_api.get("/auth/api-keys", tokens)).json()
    assert kept["id"] == third
    assert kept["last_used_at"] is not None


@on_every_database
async def test_S45_a_text_that_is_no_id_of_a_key_is_refused(notes_api: Api, owner: User) -> None:
    tokens = await notes_api.login(owner)
    created = await add_key(notes_api, tokens, READ)
    for text in ("%00", f"{created['id']}%00", "%C3%A9", "%ED%A0%80", "'", "%25", created["prefix"], created["key"]):
        answer = await notes_api.call("DELETE", f"/auth/api-keys/{text}", tokens)
        assert answer.status_code == 422, (text, answer.text)
    assert await status(notes_api, created["key"]) == 200


async def test_S46_no_cache_stores_a_response_to_a_key(notes_api: Api, owner: User) -> None:
    key = (await add_key(notes_api, await notes_api.login(owner), READ))["key"]
    for headers in (as_header(key), as_bearer(key)):
        answer = await notes_api.call("GET", "/notes", headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
