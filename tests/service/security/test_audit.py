"""The log tells who did what from where, and never a secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import APIRouter

from inference_core.auth.mail.tokens import make_mailed_token
from inference_core.auth.schemas import Login
from tests.service.conftest import running
from tests.service.security.conftest import SentTasks
from tests.support.accounts import Api, audit_events, new_name, new_registration
from tests.support.settings import Settings, application

pytestmark = pytest.mark.anyio

WRONG = "TheWrongSecret1"
BEARER = {"Authorization": "Bearer the.secret.token"}


def assert_logged_once(caplog: pytest.LogCaptureFixture, event: str, user_id: str) -> None:
    (entry,) = audit_events(caplog, event)
    assert (entry["user_id"], entry["ip"]) == (user_id, "127.0.0.1")
    assert entry["request_id"]
    assert entry["timestamp"].endswith("Z")


async def test_S40_events_are_logged_with_who_and_where_and_no_secret(
    api: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    user = await api.register()
    await api.try_login(user, WRONG)
    tokens = await api.refresh(await api.login(user))
    await api.post("/auth/forgot-password", {"email": user.email})
    await api.post("/auth/reset-password", {"token": "TheResetToken", "new_password": "TheNewSecret1"})
    await api.post("/auth/logout", {"refresh_token": tokens.refresh})
    for event in ("registered", "login_failed", "login_succeeded", "logged_out"):
        assert_logged_once(caplog, event, user.id)
    logged = "".join(str(record.msg) for record in caplog.records) + "".join(capfd.readouterr())
    for secret in (user.password, WRONG, "TheNewSecret1", "TheResetToken", tokens.access, tokens.refresh):
        assert secret not in logged


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_S40_the_trace_of_an_unexpected_error_shows_no_values(
    service_settings: Callable[..., Settings], capfd: pytest.CaptureFixture[str], log_format: str
) -> None:
    broken = APIRouter()

    @broken.post("/broken")
    async def fail(login: Login) -> None:
        password = login.password
        raise RuntimeError(f"with a password of {len(password)} characters")

    settings = service_settings(log_format=log_format)
    async with running(application(settings, broken), settings) as api:
        answer = await api.post("/broken", {"username": "anybody", "password": WRONG}, headers=BEARER)
        assert answer.status_code == 500
    logged = "".join(capfd.readouterr())
    assert "unhandled_exception" in logged
    assert f"with a password of {len(WRONG)} characters" in logged
    assert "in fail" in logged or '"name": "fail"' in logged
    for secret in (WRONG, BEARER["Authorization"]):
        assert secret not in logged


async def test_S40_every_change_of_credentials_and_every_refusal_is_logged(
    api: Api, sent: SentTasks, caplog: pytest.LogCaptureFixture
) -> None:
    user = await api.register()
    allowed = api.settings.login_failures_allowed
    assert [(await api.try_login(user, WRONG)).status_code for _ in range(allowed + 1)] == [401] * allowed + [429]
    made = await make_mailed_token(api.settings, user.email, "reset")
    assert made is not None
    reset = {"token": made.token, "new_password": "BrandNew789!"}
    assert (await api.post("/auth/reset-password", reset)).status_code == 200
    tokens = await api.login(user, "BrandNew789!")
    change = {"current_password": WRONG, "new_password": "AnotherPass456!"}
    assert (await api.post("/auth/change-password", change, tokens)).status_code == 400
    change["current_password"] = "BrandNew789!"
    assert (await api.post("/auth/change-password", change, tokens)).status_code == 200
    new_email = {"email": new_registration()["email"], "current_password": "AnotherPass456!"}
    assert (await api.call("PUT", "/auth/me", tokens, json=new_email)).status_code == 200
    verification = await make_mailed_token(api.settings, new_email["email"], "verify")
    assert verification is not None
    assert (await api.post("/auth/verify-email", {"token": verification.token})).status_code == 200
    other = await api.login(user, "AnotherPass456!")
    ended = await api.call("DELETE", f"/auth/sessions/{other.refresh.split('.')[0]}", tokens)
    assert ended.status_code == 200
    assert (await api.call("DELETE", "/auth/sessions", tokens)).status_code == 200
    for event in (
        "login_throttled",
        "password_reset",
        "password_check_failed",
        "password_changed",
        "email_changed",
        "email_verified",
        "session_ended",
        "all_sessions_ended",
    ):
        assert_logged_once(caplog, event, user.id)


async def test_S40_a_request_says_nothing_of_who_came_before(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    tokens = await api.login(await api.register())
    assert await api.me_status(tokens) == 200
    await api.post("/auth/login", {"username": new_name(), "password": WRONG})
    (entry,) = audit_events(caplog, "login_failed")
    assert "user_id" not in entry


async def test_S40_what_superusers_do_to_an_account_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    operator = await api.register_superuser()
    admin, user = await api.login(operator), await api.register()
    for active in (False, True):
        state = {"is_active": active}
        assert (await api.call("PATCH", f"/admin/users/{user.id}", admin, json=state)).status_code == 200
    assert (await api.call("DELETE", f"/admin/users/{user.id}/sessions", admin)).status_code == 200
    for event in ("account_deactivated", "account_activated", "all_sessions_ended"):
        assert_logged_once(caplog, event, user.id)
        assert audit_events(caplog, event)[0]["by"] == operator.id
