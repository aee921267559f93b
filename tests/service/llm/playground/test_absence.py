"""The playground exists in development only, and its policy forbids other resources."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from inference_core.core.settings import Environment
from inference_core.llm.playground.router import PLAYGROUND
from tests.support.settings import Settings, application

pytestmark = pytest.mark.anyio


async def asked(environment: Environment, folder: Path) -> httpx2.Response:
    settings = Settings(
        _env_file=None,
        environment=environment,
        secret_key="k" * 40,
        database_url=f"sqlite:///{folder / 'service.db'}",
        redis_url="redis://127.0.0.1:1/0",
        mail_transport="smtp",
    )
    transport = httpx2.ASGITransport(app=application(settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/playground")


@pytest.mark.parametrize("environment", ["testing", "production"])
async def test_there_is_none_outside_development(environment: Environment, tmp_path: Path) -> None:
    assert (await asked(environment, tmp_path)).status_code == 404


async def test_its_policy_allows_its_own_style_and_script_alone(tmp_path: Path) -> None:
    answer = await asked("development", tmp_path)
    assert answer.status_code == 200
    directives = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self'"
    for name in ("script-src", "style-src"):
        assert directives[name].startswith("'sha256-")
    assert "http://" not in PLAYGROUND.content
    assert "https://" not in PLAYGROUND.content
    assert "innerHTML" not in PLAYGROUND.content
