"""What the database says of itself, on each kind of server."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from tests.support.accounts import Api
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio

DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mysql"}


@on_every_database
async def test_every_database_is_asked_and_gives_away_no_address(api: Api) -> None:
    answer = await api.get("/health/database")
    details = answer.json()["details"]
    url = make_url(api.settings.database_url)
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")
    assert details["dialect"] == DIALECTS[url.get_backend_name()]
    assert details["server_version"]
    assert 0 < details["round_trip_ms"] < 5000
    assert details["pool_size"] == api.settings.database_pool_size
    assert "127.0.0.1" not in answer.text
    assert set(details).isdisjoint({"url", "host", "port", "user", "username", "password", "database"})
