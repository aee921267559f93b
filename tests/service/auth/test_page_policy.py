"""What browsers are told about the pages that the links in mails lead to."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from inference_core.core.settings import Environment
from tests.support.settings import Settings, application

PATHS = ("/forgot-password", "/reset-password", "/verify-email", "/register")


@pytest.mark.anyio
@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize("path", PATHS)
async def test_the_pages_load_and_ask_nothing_of_others(environment: Environment, path: str, tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        environment=environment,
        app_title="<script>alert(1)</script>",
        secret_key="k" * 40,
        database_url=f"sqlite:///{tmp_path / 'service.db'}",
        redis_url="redis://127.0.0.1:1/0",
        mail_transport="smtp",
    )
    transport = httpx2.ASGITransport(app=application(settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert {policy[name] for name in ("default-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert policy["connect-src"] == "'self'"
    assert all(policy[name].startswith("'sha256-") for name in ("script-src", "style-src"))
    assert "alert(1)</script>" not in answer.text
    assert not re.search(r"https?://|innerHTML|\son\w+=|<script [^>]*src|style=", answer.text)
