"""Limits on mail that nobody asks for by name: warnings of guesses, and notices to an address that is left."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from inference_core.auth.mail import names
from inference_core.auth.mail.tokens import make_email_change_token
from tests.service.conftest import AppFactory
from tests.service.security.conftest import SentTasks
from tests.support.accounts import User, new_name, new_network, new_registration

pytestmark = pytest.mark.anyio


async def test_S19_warnings_add_nothing_to_a_queue_that_is_full(start_app: AppFactory) -> None:
    async with start_app(mails_waiting_max=1, login_failures_per_account=1) as api:
        redis = api.state.redis.client
        await redis.delete("default")
        for login in [User("", new_name(), "") for _ in range(3)]:
            guessed = [
                (await api.at(f"{new_network()}.1").try_login(login, "WrongPassword1")).status_code for _ in "12"
            ]
            assert guessed == [401, 429]
        assert await redis.llen("default") == 1
        await redis.delete("default")


async def test_S06_confirmed_changes_of_an_email_tell_nobody_without_end(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(mails_per_account_per_hour=2) as api:
        user, own = await api.register(), [new_registration()["email"] for _ in range(2)]
        for number in range(6):
            made = await make_email_change_token(api.settings, UUID(user.id), own[number % 2])
            assert made is not None
            assert (await api.post("/auth/verify-email", {"token": made.token})).status_code == 200
        told = Counter(arguments[0] for name, arguments in sent if name == names.EMAIL_CHANGED)
        assert told == {user.email: 1, own[0]: 2, own[1]: 2}


async def test_S06_a_registration_asks_the_quota_of_its_address(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(verify_email=True, mails_per_account_per_hour=1) as api:
        user, registration = await api.register(), new_registration()
        tokens = await api.login(user)
        for email in (registration["email"], user.email):
            body = {"email": email, "current_password": user.password}
            assert (await api.call("PUT", "/auth/me", tokens, json=body)).status_code == 200
        assert (await api.post("/auth/register", registration)).status_code == 201
        assert sent.count((names.EMAIL_VERIFICATION, (registration["email"],))) == 1
