"""The service starts, and its features are there."""

from __future__ import annotations

import pytest

from inference_core.testing import Api

pytestmark = pytest.mark.anyio


async def test_the_service_is_ready(api: Api) -> None:
    response = await api.client.get("/api/v1/health/ready")
    assert (response.status_code, response.json()["status"]) == (200, "ready")


async def test_the_service_has_its_own_name(api: Api) -> None:
    assert (await api.client.get("/")).json()["app_name"] == "shop"
