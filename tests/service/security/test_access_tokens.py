"""Access tokens: only ours, only now, only for whom they count."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from inference_core.auth.mail.tokens import make_mailed_token
from inference_core.auth.repository import UserRepository
from inference_core.auth.tokens.access_tokens import (
    ALGORITHM,
    CLOCK_SKEW_S,
    AccessClaims,
    AccessTokens,
    derive_key,
    key_id,
)
from inference_core.auth.tokens.refresh_tokens import RefreshTokens
from inference_core.core.settings import SettingsError
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, Tokens
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings, load_settings

pytestmark = pytest.mark.anyio


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header = jwt.get_unverified_header(token)
    return header, jwt.decode(token, options={"verify_signature": False})


def signed(api: Api, header: dict[str, Any], payload: dict[str, Any], key: bytes | None = None) -> Tokens:
    header = {name: value for name, value in header.items() if name != "alg"}
    own = derive_key(api.settings.signing_secrets[0], "access-token")
    return Tokens(jwt.encode(payload, key or own, ALGORITHM, header), "")


def unsigned(header: dict[str, Any], payload: dict[str, Any], signature: str = "") -> Tokens:
    def encoded(part: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return Tokens(f"{encoded(header)}.{encoded(payload)}.{signature}", "")


async def refused(api: Api, tokens: Tokens) -> bool:
    answer = await api.get("/auth/me", tokens)
    return answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


async def test_S21_a_token_that_is_not_ours_is_refused(api: Api) -> None:
    tokens = await api.login(await api.register())
    victim = await api.register()
    header, payload = parts(tokens.access)
    signature = tokens.access.rsplit(".", 1)[1]
    assert not await refused(api, signed(api, header, payload))
    forged = {
        "no algorithm": unsigned({**header, "alg": "none"}, payload),
        "no algorithm, kept signature": unsigned({**header, "alg": "none"}, payload, signature),
        "another algorithm": unsigned({**header, "alg": "RS256"}, payload, signature),
        "a changed payload": unsigned(header, {**payload, "sub": victim.id}, signature),
        "another key": signed(api, header, payload, b"x" * 32),
        "an unknown key id": signed(api, {**header, "kid": "0" * 12}, payload),
        "no key id": signed(api, {"typ": header["typ"]}, payload),
        "the secret itself as key": signed(api, header, payload, api.settings.signing_secrets[0].encode()),
        "a key to fetch": signed(api, {**header, "jku": "https://example.com/keys"}, payload),
        "a key of its own": signed(api, {**header, "jwk": {"kty": "oct", "k": "eHh4"}}, payload),
        "another type": signed(api, {**header, "typ": "JWT"}, payload),
    }
    assert {name for name, token in forged.items() if not await refused(api, token)} == set()


async def test_S22_a_token_for_another_time_or_place_is_refused(api: Api) -> None:
    tokens = await api.login(await api.register())
    header, payload = parts(tokens.access)
    now = int(time.time())
    wrong: dict[str, dict[str, Any]] = {
        "expired": payload | {"exp": now - 1, "iat": now - 100, "nbf": now - 100},
        "not yet": payload | {"nbf": now + 600},
        "another issuer": payload | {"iss": "somebody"},
        "another audience": payload | {"aud": "somewhere"},
        "several audiences": payload | {"aud": [payload["aud"], "somewhere"]},
        "no user id": payload | {"sub": "admin"},
    }
    wrong |= {f"no {name}": {k: v for k, v in payload.items() if k != name} for name in payload}
    accepted = {name for name, claims in wrong.items() if not await refused(api, signed(api, header, claims))}
    assert accepted == set()


async def test_S22_a_token_of_a_machine_whose_clock_is_ahead_counts_at_once(api: Api) -> None:
    header, payload = parts((await api.login(await api.register())).access)
    now = int(time.time())
    ahead = payload | {"iat": now + CLOCK_SKEW_S, "nbf": now + CLOCK_SKEW_S}
    assert await api.me_status(signed(api, header, ahead)) == 200


async def test_S22_a_token_that_was_accepted_expires_all_the_same(api: Api) -> None:
    header, payload = parts((await api.login(await api.register())).access)
    life_s = 1
    while True:  # as long as it takes for one request on this machine
        life_s *= 2
        expires = int(time.time()) + life_s
        short = signed(api, header, payload | {"exp": expires})
        if await api.me_status(short) == 200:
            break
        assert life_s < 100
    while await api.me_status(short) == 200:
        assert time.time() < expires + 1
        await asyncio.sleep(0.1)
    assert await refused(api, short)


async def test_S22_a_token_lives_as_long_as_its_login_said(api: Api) -> None:
    user = await api.register()
    answer = (await api.try_login(user)).json()
    _, payload = parts(answer["access_token"])
    assert payload["exp"] - payload["iat"] == answer["expires_in"] == api.settings.access_token_expire_minutes * 60
    assert payload["iat"] == payload["nbf"] == pytest.approx(time.time(), abs=60)
    assert answer["expires_in"] <= 3600


def test_only_so_many_verified_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_core.auth.tokens.access_tokens.MOST_VERIFIED", 2)
    tokens = AccessTokens(Settings(_env_file=None))
    claims = [AccessClaims(uuid4(), f"session{number}", 0, 0) for number in range(4)]
    issued = [tokens.issue(claim) for claim in claims]
    for _ in range(2):
        assert [tokens.verify(token).session_id for token in issued] == [claim.session_id for claim in claims]
    assert len(tokens._verified) == 2


async def test_S09_no_token_does_for_another(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    mailed = await make_mailed_token(api.settings, user.email, "reset")
    verification = await make_mailed_token(api.settings, user.email, "verify")
    assert mailed is not None
    assert verification is not None
    reset, verify = mailed.token, verification.token
    assert await refused(api, Tokens(reset, ""))
    assert await refused(api, Tokens(tokens.refresh, ""))
    for token in (reset, verify, tokens.access):
        assert (await api.try_refresh(Tokens("", token))).status_code == 401
    for token in (verify, tokens.access, tokens.refresh):
        body = {"token": token, "new_password": "AnotherPass456!"}
        assert (await api.post("/auth/reset-password", body)).status_code == 400
    assert (await api.post("/auth/verify-email", {"token": reset})).status_code == 400
    assert (await api.post("/auth/verify-email", {"token": verify})).status_code == 200
    assert (await api.get("/auth/me", tokens)).json()["is_verified"] is True


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "SECRET_KEY=",
        "SECRET_KEY=development-only-secret-key-change-me",
        "SECRET_KEY=too-short",
        f"SECRET_KEY={'a' * 31}",
        "SECRET_KEY=development-only-secret-key-change-me\nSECRET_KEYS=development-only-secret-key-change-me",
    ],
)
def test_S23_production_refuses_a_default_or_short_secret(tmp_path: Any, monkeypatch: Any, secret: str) -> None:
    for name in ("SECRET_KEY", "SECRET_KEYS", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    env_file = tmp_path / ".env"
    env_file.write_text(f"ENVIRONMENT=production\n{secret}\n")
    with pytest.raises(SettingsError, match="SECRET_KEY") as raised:
        load_settings(env_file)
    assert "too-short" not in str(raised.value)
    env_file.write_text(f"ENVIRONMENT=production\nSECRET_KEYS={'a' * 32},{'b' * 31}\n")
    with pytest.raises(SettingsError, match="SECRET_KEYS"):
        load_settings(env_file)
    env_file.write_text(f"ENVIRONMENT=production\nSECRET_KEY={'a' * 32}\n")
    with pytest.raises(SettingsError, match="DATABASE_URL is not set; set it in production"):
        load_settings(env_file)
    env_file.write_text(f"ENVIRONMENT=production\nSECRET_KEY={'a' * 32}\nDATABASE_URL=sqlite:///app.db\n")
    assert load_settings(env_file).is_production


def test_S23_production_refuses_debugging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "SECRET_KEYS", "ENVIRONMENT", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    env_file = tmp_path / ".env"
    env_file.write_text(f"ENVIRONMENT=production\nSECRET_KEY={'a' * 32}\nDEBUG=true\n")
    with pytest.raises(SettingsError, match="DEBUG"):
        load_settings(env_file)


async def test_S24_keys_rotate_without_logging_anybody_out(start_app: AppFactory) -> None:
    old, new = "old-secret-" * 4, "new-secret-" * 4
    async with start_app(secret_keys=[old]) as api:
        user = await api.register()
        tokens, lost = await api.login(user), await api.login(user)
        lost_successor = await api.refresh(lost)
    async with start_app(secret_keys=[new, old]) as api:
        assert await api.me_status(tokens) == 200
        newer = await api.refresh(tokens)
        # The chain goes on by the new key, so that whoever has learned the old one cannot work the next token out.
        only_new = RefreshTokens(api.settings.model_copy(update={"secret_keys": [SecretStr(new)]}))
        rotated = RefreshTokens(api.settings).decode(tokens.refresh)
        assert rotated is not None
        assert only_new.encode(only_new.successors(rotated)[0]) == newer.refresh
        assert parts(tokens.access)[0]["kid"] == key_id(old)
        assert parts(newer.access)[0]["kid"] == key_id(new)
        assert (await api.refresh(lost)).refresh.split(".")[1] == lost_successor.refresh.split(".")[1]
    async with start_app(secret_keys=[new]) as api:
        assert await api.me_status(tokens) == 401
        assert await api.me_status(newer) == 200
        await api.refresh(newer)


@on_every_database
async def test_S25_a_deactivated_or_deleted_account_is_out_at_once(api: Api) -> None:
    user, gone = await api.register(), await api.register()
    tokens, orphan = await api.login(user), await api.login(gone)
    async with api.state.database.write() as session:
        await UserRepository(session).change(UUID(user.id), is_active=False)
        await session.execute(text("DELETE FROM users WHERE username = :name"), {"name": gone.username})
    for ended in (tokens, orphan):
        assert await api.me_status(ended) == 401
        assert (await api.try_refresh(ended)).status_code == 401
        assert await api.state.redis.client.exists("auth:session:" + ended.refresh.split(".")[0]) == 0
    assert (await api.try_login(user)).status_code == 401


@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer a.b.c", "Bearer \u00e9", "token"]
)
async def test_S34_without_a_good_bearer_the_answer_is_a_challenge(api: Api, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value.encode("latin-1")}
    answer = await api.client.get("/api/v1/auth/me", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"]


def test_settings_keep_secrets_out_of_sight() -> None:
    settings = Settings(_env_file=None, secret_key="the-secret-itself", secret_keys=["another-secret"])
    assert "secret-itself" not in repr(settings)
    assert "another-secret" not in repr(settings)
