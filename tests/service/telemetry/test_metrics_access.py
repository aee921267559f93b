"""Who may read `/metrics`."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_core.core.settings import SettingsError
from tests.service.conftest import AppFactory
from tests.support.settings import load_settings

pytestmark = pytest.mark.anyio

TOKEN = "t0ken-of-the-scraper"
PRODUCTION = {"environment": "production", "secret_key": "s" * 32}


@pytest.mark.parametrize(
    ("changes", "anonymous", "as_bearer"),
    [
        ({}, 200, 200),
        ({"metrics_token": TOKEN}, 401, 200),
        ({"metrics_token": TOKEN, "metrics_access": "public"}, 200, 200),
        (PRODUCTION, 404, 404),
        (PRODUCTION | {"metrics_token": TOKEN}, 401, 200),
        (PRODUCTION | {"metrics_access": "public"}, 200, 200),
    ],
)
async def test_S36_metrics_are_guarded_in_production(
    start_app: AppFactory, changes: dict[str, str], anonymous: int, as_bearer: int
) -> None:
    async with start_app(**changes) as api:
        assert (await api.client.get("/metrics")).status_code == anonymous
        for wrong in (f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", "Bearer töken".encode()):
            answer = await api.client.get("/metrics", headers={"Authorization": wrong})
            assert answer.status_code == anonymous
        right = await api.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert right.status_code == as_bearer
        assert ("http_request_duration_seconds" in right.text) is (as_bearer == 200)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("METRICS_ACCESS=token", "METRICS_ACCESS is token, but METRICS_TOKEN is empty"),
        ("METRICS_TOKEN=short", "METRICS_TOKEN is shorter than 16 bytes"),
    ],
)
async def test_S36_a_guard_without_its_token_is_refused_at_the_start(
    tmp_path: Path, database_url: str, lines: str, expected: str
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(lines)
    with pytest.raises(SettingsError, match=expected):
        load_settings(env_file)
