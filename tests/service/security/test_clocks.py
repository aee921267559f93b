"""Mailed tokens count by one clock, whatever the time is on the machine of the worker that made them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.mail.due import take_due_mails
from inference_core.auth.mail.names import EMAIL_VERIFICATION
from inference_core.auth.mail.tokens import make_mailed_token, token_hash
from inference_core.auth.models import EndedSession, OneTimeToken
from inference_core.auth.repository import MailDueRepository, UserRepository
from inference_core.core.redis.clock import Clock
from tests.support.accounts import Api
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.settings import Settings
from tests.support.stack import ROOT

pytestmark = pytest.mark.anyio

NEW = "BrandNew789!"
# What a worker does, in a process of its own: makes one token of each kind, and clears away what has expired.
WORK = """
import asyncio, json, sys, time
from inference_core.auth.mail.tokens import make_mailed_token
from inference_core.auth.purge import purge
from tests.support.settings import Settings

settings = Settings(_env_file=None)
made = [asyncio.run(make_mailed_token(settings, sys.argv[1], purpose)) for purpose in ("reset", "verify")]
asyncio.run(purge(settings))
print(json.dumps([time.time(), *(token.token for token in made)]))
"""


def work_at(shift: str, settings: Settings, email: str) -> list[float | str]:
    """The worker's time of day and its tokens, when its clock is off by `shift`."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        skip_or_fail(ServerUnavailableError("libfaketime is not installed; on Debian: apt-get install libfaketime"))
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "LD_PRELOAD": str(library),
        "FAKETIME": shift,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", WORK, email], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer, list)
    return answer


@pytest.mark.full
@pytest.mark.parametrize("shift", ["-11m", "+11m", "-3d", "+3d"])
async def test_S07_a_link_counts_whatever_the_clock_of_its_worker_says(api: Api, shift: str) -> None:
    user, logged_out = await api.register(), await api.register()
    ended = await api.login(logged_out)
    await api.post("/auth/logout", {"refresh_token": ended.refresh})
    assert await api.me_status(ended) == 401
    kept = await make_mailed_token(api.settings, user.email, "reset")
    assert kept is not None
    now = await Clock(api.state.redis.client, SessionStoreUnavailableError).now()
    at_s, reset, verification = await asyncio.to_thread(work_at, shift, api.settings, user.email)
    assert abs(float(at_s) - now.timestamp()) > 600
    async with api.state.database.read() as session:
        found = await session.execute(
            select(OneTimeToken.expires_at).where(OneTimeToken.token_hash == token_hash(str(reset)))
        )
        assert (found.scalar_one() - now).total_seconds() == pytest.approx(600, abs=60)
    assert (await api.post("/auth/verify-email", {"token": verification})).status_code == 200
    # What another worker had made was not cleared away too early, nor that the session was ended.
    for token, status in ((kept.token, 200), (str(reset), 400)):
        body = {"token": token, "new_password": NEW}
        assert (await api.post("/auth/reset-password", body)).status_code == status
    assert await api.me_status(ended) == 401


async def test_S07_the_end_of_a_link_is_by_the_same_clock(api: Api) -> None:
    user = await api.register()
    made = await make_mailed_token(api.settings, user.email, "reset")
    assert made is not None
    now = await Clock(api.state.redis.client, SessionStoreUnavailableError).now()
    for seconds, status in ((-1, 400), (30, 200)):
        async with api.state.database.write() as session:
            expires_at = now + timedelta(seconds=seconds)
            await session.execute(
                update(OneTimeToken)
                .where(OneTimeToken.token_hash == token_hash(made.token))
                .values(expires_at=expires_at)
            )
        body = {"token": made.token, "new_password": NEW}
        assert (await api.post("/auth/reset-password", body)).status_code == status


async def test_S11_an_ended_session_is_remembered_past_the_last_of_its_tokens(api: Api) -> None:
    tokens = await api.login(await api.register())
    await api.post("/auth/logout", {"refresh_token": tokens.refresh})
    async with api.state.database.read() as session:
        wanted = EndedSession.session_id == tokens.refresh.split(".")[0]
        expires_at = (await session.execute(select(EndedSession.expires_at).where(wanted))).scalar_one()
    lifetime_s = api.settings.access_token_expire_minutes * 60
    now = await Clock(api.state.redis.client, SessionStoreUnavailableError).now()
    assert (expires_at - now).total_seconds() >= lifetime_s - 60


async def test_a_committed_mail_is_due_by_the_clock_of_redis(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    at = await Clock(api.state.redis.client, SessionStoreUnavailableError).now() + timedelta(hours=2)
    async with api.state.database.write() as session:
        mail_id = await MailDueRepository(session).add(EMAIL_VERIFICATION, ["a@example.com"], at)

    async def hour_later(_: Clock) -> datetime:
        return at + timedelta(hours=1)

    assert mail_id not in {mail.id for mail in await take_due_mails(api.settings)}
    monkeypatch.setattr(Clock, "now", hour_later)
    assert mail_id in {mail.id for mail in await take_due_mails(api.settings)}


async def test_S11_the_purge_keeps_an_ended_session_while_clocks_may_differ(api: Api) -> None:
    ends = await Clock(api.state.redis.client, SessionStoreUnavailableError).now() + timedelta(days=1)
    async with api.state.database.write() as session:
        await UserRepository(session).end_session("ended", ends)
    for minutes, kept in ((30, True), (90, False)):
        async with api.state.database.write() as session:
            await UserRepository(session).purge(ends + timedelta(minutes=minutes), ends - timedelta(days=365))
            found = await session.execute(select(EndedSession).where(EndedSession.session_id == "ended"))
            assert (found.one_or_none() is not None) == kept
