"""Products: who reads and adds them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from inference_core.testing import Api

pytestmark = pytest.mark.anyio

PRODUCTS = "/api/v1/products"
TEA = {"sku": "TEA-1", "name": "Green tea", "price_cents": 450}


async def test_added_products_are_read_without_an_account(api: Api, admin: dict[str, str]) -> None:
    added = await api.client.post(PRODUCTS, json=TEA, headers=admin)
    assert (added.status_code, added.json()) == (201, TEA)
    assert (await api.client.get(f"{PRODUCTS}/TEA-1")).json() == TEA
    await api.client.post(PRODUCTS, json={**TEA, "sku": "CUP-1"}, headers=admin)
    page = (await api.client.get(PRODUCTS, params={"limit": 1})).json()
    assert ([item["sku"] for item in page["items"]], page["total"]) == (["CUP-1"], 2)


async def test_a_product_is_added_only_with_the_permission(api: Api) -> None:
    assert (await api.client.post(PRODUCTS, json=TEA)).status_code == 401
    assert (await api.client.get(PRODUCTS)).json() == {"items": [], "total": 0}


async def test_a_sku_is_unique(api: Api, admin: dict[str, str]) -> None:
    await api.client.post(PRODUCTS, json=TEA, headers=admin)
    again = await api.client.post(PRODUCTS, json=TEA, headers=admin)
    assert (again.status_code, again.json()["code"]) == (409, "product_exists")


async def test_their_number_is_limited(api: Api, admin: dict[str, str]) -> None:
    answers = [
        await api.client.post(PRODUCTS, json={**TEA, "sku": f"TEA-{number}"}, headers=admin) for number in range(4)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409]
    assert answers[3].json()["code"] == "too_many_products"


async def test_an_unknown_product_is_not_found(api: Api) -> None:
    answer = await api.client.get(f"{PRODUCTS}/TEA-1")
    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


@pytest.mark.parametrize("change", [{"sku": "tea 1"}, {"name": " "}, {"price_cents": -1}, {"price_cents": None}])
async def test_invalid_products_are_refused(api: Api, admin: dict[str, str], change: dict[str, Any]) -> None:
    assert (await api.client.post(PRODUCTS, json={**TEA, **change}, headers=admin)).status_code == 422


async def test_features_that_are_left_out_have_no_routes(api: Api) -> None:
    paths = (await api.client.get("/openapi.json")).json()["paths"]
    assert PRODUCTS in paths
    assert not [path for path in paths if path.startswith(("/api/v1/tasks", "/api/v1/llm"))]
