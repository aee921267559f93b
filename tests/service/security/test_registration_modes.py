"""Registration that is closed or needs an invitation, and accounts that superusers create."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import delete, select, update

from inference_core.auth.invitations.service import make_invitation_token
from inference_core.auth.mail import names
from inference_core.auth.mail.tokens import make_mailed_token, token_hash
from inference_core.auth.models import Invitation, User
from inference_core.auth.purge import purge
from inference_core.core.redis.clock import Clock
from tests.service.conftest import AppFactory
from tests.service.security.conftest import SentTasks
from tests.support.accounts import PASSWORD, Api, Tokens, audit_events, new_name, new_registration
from tests.support.accounts import User as Registered
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def without_id(answer: httpx2.Response) -> tuple[int, dict[str, Any]]:
    """The status and the body of an answer, without what differs between any two answers."""
    return answer.status_code, {**answer.json(), "request_id": ""}


def keep_log(caplog: pytest.LogCaptureFixture) -> None:
    """Have `caplog` hear what an application logs that the test itself has started."""
    logging.getLogger().addHandler(caplog.handler)


async def superuser(api: Api) -> Tokens:
    return await api.login(await api.register_superuser())


async def invite(api: Api, admin: Tokens, email: str, **more: Any) -> dict[str, Any]:
    answer = await api.post("/admin/invitations", {"email": email, **more}, admin)
    assert answer.status_code == 201, answer.text
    invitation: dict[str, Any] = answer.json()
    return invitation


async def mailed_token(api: Api, invitation: dict[str, Any]) -> str:
    """What the worker mails."""
    made = await make_invitation_token(api.settings, UUID(invitation["id"]))
    assert made is not None
    return made[1]


async def invited(api: Api, admin: Tokens, **changes: Any) -> dict[str, Any]:
    """A registration with a valid invitation."""
    body = new_registration(**changes)
    return body | {"invitation": await mailed_token(api, await invite(api, admin, body["email"]))}


async def open_invitations(api: Api, admin: Tokens) -> set[str]:
    answer = await api.get("/admin/invitations?limit=200", admin)
    assert answer.status_code == 200
    return {item["email"] for item in answer.json()["items"]}


async def test_S41_closed_registration_answers_alike_without_any_work(
    start_app: AppFactory, sent: SentTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_app(registration="closed", hide_existing_accounts=True, verify_email=True) as api:
        known = await api.register_superuser()

        async def refuse(_: str) -> str:
            raise AssertionError("hashed")

        monkeypatch.setattr(api.auth.passwords, "hash", refuse)
        async with api.state.database.write() as session:  # SQLite has one writer: a write would wait for this one
            await session.connection()
            answers = [
                await api.post("/auth/register", body)
                for body in (
                    new_registration(),
                    new_registration(username=known.username),
                    new_registration(email=known.email),
                    new_registration(password="password1"),
                    new_registration(invitation="x" * 43),
                )
            ]
        assert {answer.json()["code"] for answer in answers} == {"registration_closed"}
        first, *others = map(without_id, answers)
        assert first[0] == 403
        assert all(other == first for other in others)
        assert sent == []
        assert [(await api.client.request(method, "/register")).status_code for method in ("GET", "HEAD")] == [404] * 2


@on_every_database
async def test_S41_a_superuser_creates_accounts_while_registration_is_closed(
    start_app: AppFactory, sent: SentTasks, caplog: pytest.LogCaptureFixture
) -> None:
    async with start_app(registration="closed") as api:
        keep_log(caplog)
        operator = await api.register_superuser()
        admin = await api.login(operator)
        body = new_registration() | {"is_superuser": True, "is_verified": True}
        made = await api.post("/admin/users", body, admin)
        assert made.status_code == 201
        profile = made.json()
        assert profile["username"] == body["username"]
        assert (profile["is_superuser"], profile["is_verified"]) == (False, False)
        assert sent == []
        await api.login(Registered("", body["username"], body["email"]))
        (event,) = audit_events(caplog, "account_created")
        assert (event["user_id"], event["by"]) == (profile["id"], operator.id)
        for taken in ({"username": body["username"].upper()}, {"email": body["email"]}):
            refused = await api.post("/admin/users", new_registration(**taken), admin)
            assert (refused.status_code, refused.json()["code"]) == (409, "account_exists")
        common = await api.post("/admin/users", new_registration(password="password1"), admin)
        assert (common.status_code, common.json()["code"]) == (400, "password_too_common")


async def test_S41_an_account_without_a_password_belongs_to_the_reader_of_its_mail(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(registration="closed", verify_email=True) as api:
        admin = await superuser(api)
        body = new_registration()
        del body["password"]
        assert (await api.post("/admin/users", body, admin)).status_code == 201
        assert sent == [(names.PASSWORD_RESET, (body["email"],))]
        user = Registered("", body["username"], body["email"])
        for guess in (PASSWORD, "None", "x"):
            assert (await api.try_login(user, guess)).status_code == 401
        made = await make_mailed_token(api.settings, user.email, "reset")
        assert made is not None
        reset = {"token": made.token, "new_password": PASSWORD}
        assert (await api.post("/auth/reset-password", reset)).status_code == 200
        assert (await api.get("/auth/me", await api.login(user))).json()["is_verified"] is True
        sent.clear()
        with_password = new_registration()
        assert (await api.post("/admin/users", with_password, admin)).status_code == 201
        assert sent == [(names.EMAIL_VERIFICATION, (with_password["email"],))]


async def test_S41_nobody_else_creates_accounts_or_invitations(start_app: AppFactory) -> None:
    async with start_app() as api:
        tokens = await api.login(await api.register())
        for tokens_of, status in ((None, 401), (tokens, 403)):
            for method, path, body in (
                ("POST", "users", new_registration()),
                ("POST", "invitations", {"email": "a@example.com"}),
                ("GET", "invitations", None),
                ("DELETE", f"invitations/{UNKNOWN}", None),
            ):
                answer = await api.call(method, f"/admin/{path}", tokens_of, json=body)
                assert answer.status_code == status, (method, path)


@on_every_database
async def test_S42_every_registration_without_a_valid_invitation_is_refused_alike(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(registration="invite", hide_existing_accounts=True) as api:
        admin = await superuser(api)
        used, expired, withdrawn, foreign = [await invited(api, admin) for _ in range(4)]
        assert (await api.post("/auth/register", used)).status_code == 201
        async with api.state.database.write() as session:
            now = await api.auth.clock.now()
            statement = update(Invitation).where(Invitation.email == expired["email"])
            await session.execute(statement.values(expires_at=now - timedelta(seconds=1)))
            await session.execute(delete(Invitation).where(Invitation.email == withdrawn["email"]))
        sent.clear()
        not_mailed = new_registration()
        await invite(api, admin, not_mailed["email"])
        sent.clear()
        answers = [
            await api.post("/auth/register", body)
            for body in (
                new_registration(),
                new_registration(invitation=None),
                new_registration(invitation=""),
                new_registration(invitation="\0"),
                new_registration(invitation="x" * 1024),
                new_registration(invitation="password1", password="password1"),
                new_registration(invitation=foreign["invitation"]),
                new_registration(invitation=token_hash(foreign["invitation"]), email=foreign["email"]),
                used | {"username": new_name()},
                expired,
                withdrawn,
                not_mailed | {"invitation": ""},
                not_mailed,
            )
        ]
        assert {answer.json()["code"] for answer in answers} == {"invitation_required"}
        first, *others = map(without_id, answers)
        assert first[0] == 403
        assert all(other == first for other in others)
        assert sent == []
        too_long = await api.post("/auth/register", new_registration(invitation="x" * 1025))
        assert too_long.status_code == 422
        # The tries with its token and another email did not use it up.
        assert (await api.post("/auth/register", foreign)).status_code == 201


async def test_S42_an_invented_invitation_causes_no_hashing_and_no_write(
    start_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_app(registration="invite") as api:

        async def refuse(_: str) -> str:
            raise AssertionError("hashed")

        monkeypatch.setattr(api.auth.passwords, "hash", refuse)
        async with api.state.database.write() as session:  # SQLite has one writer: a write would wait for this one
            await session.connection()
            for token in ("invented", "x" * 1024, "\0", "ä" * 100):
                assert (await api.post("/auth/register", new_registration(invitation=token))).status_code == 403


@on_every_database
async def test_S42_of_registrations_with_one_invitation_exactly_one_succeeds(start_app: AppFactory) -> None:
    async with start_app(registration="invite") as api:
        admin = await superuser(api)
        body = await invited(api, admin)
        answers = await asyncio.gather(
            *(api.post("/auth/register", body | {"username": new_name()}) for _ in range(8)),
        )
        assert Counter(answer.status_code for answer in answers) == {201: 1, 403: 7}
        assert body["email"] not in await open_invitations(api, admin)


@on_every_database
async def test_S42_a_refused_registration_does_not_use_its_invitation(start_app: AppFactory) -> None:
    async with start_app(registration="invite") as api:
        admin = await superuser(api)
        body = await invited(api, admin)
        taken = await api.post("/auth/register", body | {"username": (await api.register_superuser()).username})
        assert (taken.status_code, taken.json()["code"]) == (409, "account_exists")
        common = await api.post("/auth/register", body | {"password": "password1"})
        assert (common.status_code, common.json()["code"]) == (400, "password_too_common")
        assert (await api.post("/auth/register", body)).status_code == 201


@on_every_database
async def test_S42_an_invitation_confirms_its_email_whatever_else_is_set(
    start_app: AppFactory, sent: SentTasks, caplog: pytest.LogCaptureFixture
) -> None:
    async with start_app(registration="invite", hide_existing_accounts=True, verify_email=True) as api:
        keep_log(caplog)
        operator = await api.register_superuser()
        admin = await api.login(operator)
        body = new_registration()
        invitation = await invite(api, admin, body["email"])
        assert sent == [(names.INVITATION, (invitation["id"],))]
        token = await mailed_token(api, invitation)
        made = await api.post("/auth/register", body | {"invitation": f" {token}\n"})
        assert (made.status_code, made.json()["is_verified"]) == (201, True)
        assert len(sent) == 1
        assert await api.me_status(await api.login(Registered("", body["username"], body["email"]))) == 200
        (created,) = audit_events(caplog, "invitation_created")
        (registered,) = audit_events(caplog, "registered")
        assert (created["by"], created["invitation_id"]) == (operator.id, invitation["id"])
        assert (registered["user_id"], registered["by"]) == (made.json()["id"], operator.id)
        assert registered["invitation_id"] == invitation["id"]
        logged = "".join(str(record.msg) for record in caplog.records)
        assert token not in logged
        assert body["email"] not in logged


@on_every_database
async def test_S42_the_database_has_only_the_hash_of_the_newest_token(start_app: AppFactory) -> None:
    async with start_app(registration="invite") as api:
        admin = await superuser(api)
        body = new_registration()
        invitation = await invite(api, admin, body["email"])
        older, newer = [await mailed_token(api, invitation) for _ in range(2)]
        async with api.state.database.read() as session:
            stored = await session.execute(select(Invitation.token_hash).where(Invitation.id == UUID(invitation["id"])))
            assert stored.scalar_one() == token_hash(newer)
        assert len(newer) >= 43  # 256 bits in base64
        statuses = [
            (await api.post("/auth/register", body | {"invitation": token})).status_code for token in (older, newer)
        ]
        assert statuses == [403, 201]


async def test_S42_an_invitation_expires_by_the_clock_of_redis(
    start_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_app(registration="invite") as api:
        admin = await superuser(api)
        body = new_registration()
        invitation = await invite(api, admin, body["email"], expires_in_hours=2)
        ends = datetime.fromisoformat(invitation["expires_at"])
        now = await api.auth.clock.now()
        assert abs(ends - now - timedelta(hours=2)) < timedelta(minutes=1)
        body["invitation"] = await mailed_token(api, invitation)
        at = ends

        async def shifted(_: Clock) -> datetime:
            return at

        monkeypatch.setattr(Clock, "now", shifted)
        assert (await api.post("/auth/register", body)).status_code == 403
        assert body["email"] not in await open_invitations(api, admin)
        assert await make_invitation_token(api.settings, UUID(invitation["id"])) is None
        at = ends - timedelta(seconds=1)
        assert (await api.post("/auth/register", body)).status_code == 201
        for hours in (0, 721, "x", 1.5):
            answer = await api.post("/admin/invitations", {"email": "a@example.com", "expires_in_hours": hours}, admin)
            assert answer.status_code == 422, hours


@on_every_database
async def test_S42_open_invitations_are_listed_withdrawn_and_bounded(
    start_app: AppFactory, caplog: pytest.LogCaptureFixture
) -> None:
    async with start_app(registration="invite", invitations_open_max=3) as api:
        async with api.state.database.write() as session:  # other tests use the same database
            await session.execute(delete(Invitation))
        keep_log(caplog)
        operator = await api.register_superuser()
        admin = await api.login(operator)
        emails = [new_registration()["email"] for _ in range(3)]
        made = [await invite(api, admin, email) for email in emails]
        again = await api.post("/admin/invitations", {"email": "more@example.com"}, admin)
        assert (again.status_code, again.json()["code"]) == (409, "too_many_invitations")
        first = (await api.get("/admin/invitations?limit=2", admin)).json()
        second = (await api.get("/admin/invitations?offset=2", admin)).json()
        assert (first["total"], first["limit"], second["offset"]) == (3, 2, 2)
        assert first["items"] + second["items"] == made
        assert set(made[0]) == {"id", "email", "invited_by", "created_at", "expires_at"}
        assert made[0]["invited_by"] == operator.id
        token = await mailed_token(api, made[0])
        path = f"/admin/invitations/{made[0]['id']}"
        assert [(await api.call("DELETE", path, admin)).status_code for _ in range(2)] == [200, 404]
        (event,) = audit_events(caplog, "invitation_withdrawn")
        assert (event["by"], event["invitation_id"]) == (operator.id, made[0]["id"])
        refused = await api.post("/auth/register", new_registration(email=emails[0], invitation=token))
        assert refused.status_code == 403
        assert await make_invitation_token(api.settings, UUID(made[0]["id"])) is None
        existing = await api.post("/admin/invitations", {"email": emails[1].upper()}, admin)
        assert (existing.status_code, existing.json()["code"]) == (409, "invitation_exists")
        async with api.state.database.write() as session:  # an expired one does not stand in the way of a new one
            past = await api.auth.clock.now() - timedelta(seconds=1)
            await session.execute(update(Invitation).where(Invitation.email == emails[1]).values(expires_at=past))
        await invite(api, admin, emails[1])
        for query in ("limit=0", "limit=201", "offset=-1", "offset=10000001"):
            assert (await api.get(f"/admin/invitations?{query}", admin)).status_code == 422, query


@on_every_database
async def test_S42_expired_invitations_are_deleted(start_app: AppFactory) -> None:
    async with start_app(registration="invite") as api:
        admin = await superuser(api)
        old, recent = [(await invite(api, admin, new_registration()["email"]))["email"] for _ in range(2)]
        async with api.state.database.write() as session:
            past = await api.auth.clock.now() - timedelta(seconds=1)
            await session.execute(update(Invitation).where(Invitation.email == old).values(expires_at=past))
        assert await purge(api.settings) >= 1
        async with api.state.database.read() as session:
            left = await session.execute(select(Invitation.email).where(Invitation.email.in_([old, recent])))
            assert left.scalars().all() == [recent]


@on_every_database
async def test_S42_an_invitation_outlives_the_account_of_the_inviter(start_app: AppFactory) -> None:
    async with start_app(registration="invite") as api:
        inviter, admin = await api.register_superuser(), await superuser(api)
        body = await invited(api, await api.login(inviter))
        async with api.state.database.write() as session:
            await session.execute(delete(User).where(User.id == UUID(inviter.id)))
        items = (await api.get("/admin/invitations?limit=200", admin)).json()["items"]
        assert [item["invited_by"] for item in items if item["email"] == body["email"]] == [None]
        assert (await api.post("/auth/register", body)).status_code == 201


@on_every_database
async def test_S42_an_email_has_one_form_in_invitation_and_registration(start_app: AppFactory) -> None:
    async with start_app(registration="invite") as api:
        admin = await superuser(api)
        name = new_name()
        for invited_as, registered_as in (
            (f" {name}.A@BÜCHER.example", f"{name}.a@xn--bcher-kva.example"),
            (f"{name}.gru\u0308n@example.com", f"{name.upper()}.GRÜN@example.com"),
        ):
            token = await mailed_token(api, await invite(api, admin, invited_as))
            another = new_registration(email=f"{name}.grun@example.com", invitation=token)
            assert (await api.post("/auth/register", another)).status_code == 403
            body = new_registration(email=registered_as, invitation=token)
            assert (await api.post("/auth/register", body)).status_code == 201


async def test_S42_invitations_are_made_only_where_they_are_used(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(registration="invite") as api:
        admin = await superuser(api)
        left = await invite(api, admin, new_registration()["email"])
        account = await api.post("/admin/invitations", {"email": (await api.register_superuser()).email}, admin)
        assert (account.status_code, account.json()["code"]) == (409, "account_exists")
    sent.clear()
    for mode in ("open", "closed"):
        async with start_app(registration=mode) as api:
            refused = await api.post("/admin/invitations", {"email": new_registration()["email"]}, admin)
            assert (refused.status_code, refused.json()["code"]) == (409, "invitations_off")
            assert left["email"] in await open_invitations(api, admin)
            assert sent == []
    async with start_app(registration="open") as api:
        user = await api.register(invitation=await mailed_token(api, left), email=left["email"])
        assert (await api.get("/auth/me", await api.login(user))).json()["is_verified"] is False


async def test_S42_one_address_gets_a_bounded_number_of_invitations(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(registration="invite", mails_per_account_per_hour=2) as api:
        admin, email = await superuser(api), new_registration()["email"]
        for _ in range(2):
            invitation = await invite(api, admin, email)
            assert (await api.call("DELETE", f"/admin/invitations/{invitation['id']}", admin)).status_code == 200
        for path, body in (("invitations", {"email": email}), ("users", {"username": new_name(), "email": email})):
            refused = await api.post(f"/admin/{path}", body, admin)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 1800
        assert len(sent) == 2
        await invite(api, admin, new_registration()["email"])


async def test_S42_without_redis_an_invitation_is_neither_used_nor_refused(start_app: AppFactory) -> None:
    async with start_app(registration="invite") as api:
        body = await invited(api, await superuser(api))
    async with start_app(registration="invite", redis_url="redis://127.0.0.1:1/0") as api:
        answer = await api.post("/auth/register", body)
        assert (answer.status_code, answer.json()["code"]) == (503, "session_store_unavailable")
        assert (await api.post("/auth/register", new_registration())).status_code == 403
    async with start_app(registration="invite") as api:
        assert (await api.post("/auth/register", body)).status_code == 201
