"""`RateLimit` on routes: who is counted, and what a refused caller is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, Depends

from inference_core.auth.dependencies import CurrentUser
from inference_core.auth.rate_limit import RateLimit
from inference_core.core.rate_limit import RateError
from tests.service.conftest import running
from tests.support.accounts import Api, Tokens, new_name, new_network
from tests.support.settings import Settings, application

pytestmark = pytest.mark.anyio

SILENT_REDIS = "redis://127.0.0.1:1/0"


def limited_router() -> APIRouter:
    router = APIRouter(prefix=f"/limited/{new_name()}")

    @router.get("/own", dependencies=[Depends(RateLimit("2/hour"))])
    async def own() -> str:
        return "done"

    @router.post("/own", dependencies=[Depends(RateLimit("2/hour"))])
    async def posted(number: int) -> int:
        return number

    @router.get("/mine", dependencies=[Depends(RateLimit("2/hour"))])
    async def mine(user: CurrentUser) -> str:
        return user.account.username

    shared = f"shared-{new_name()}"
    for name in ("first", "second"):

        @router.get(f"/{name}", operation_id=name, dependencies=[Depends(RateLimit("2/hour", scope=shared))])
        async def share() -> str:
            return "done"

    by_project = RateLimit("2/hour", key=lambda request: request.path_params["project"])

    @router.get("/projects/{project}", dependencies=[Depends(by_project)])
    async def project(project: str) -> str:
        return project

    @router.get("/tolerant", dependencies=[Depends(RateLimit("1/hour", on_outage="allow"))])
    async def tolerant() -> str:
        return "done"

    return router


@asynccontextmanager
async def limited(settings: Settings) -> AsyncIterator[tuple[Api, str]]:
    """A running service with limited routes of its own, and their prefix."""
    router = limited_router()
    async with running(application(settings, router), settings) as api:
        yield api, router.prefix


@pytest.fixture
async def service(service_settings: Callable[..., Settings]) -> AsyncIterator[tuple[Api, str]]:
    async with limited(service_settings()) as running_service:
        yield running_service


async def statuses(api: Api, path: str, times: int, tokens: Tokens | None = None, method: str = "GET") -> list[int]:
    return [(await api.call(method, path, tokens)).status_code for _ in range(times)]


async def test_S50_a_network_is_refused_above_its_limit_and_told_when_to_retry(service: tuple[Api, str]) -> None:
    api, prefix = service
    network = new_network()
    assert await statuses(api.at(f"{network}.1"), f"{prefix}/own", 1) == [200]
    assert await statuses(api.at(f"{network}.2"), f"{prefix}/own", 2) == [200, 429]
    refused = await api.at(f"{network}.3").get(f"{prefix}/own")
    wait_s = int(refused.headers["retry-after"])
    assert 3500 < wait_s <= 3600
    assert (refused.json()["code"], refused.json()["detail"]) == (
        "rate_limited",
        f"Rate limit exceeded. Retry in {wait_s} s.",
    )
    assert refused.headers["content-type"] == "application/problem+json"
    assert await statuses(api.at(f"{new_network()}.1"), f"{prefix}/own", 1) == [200]


async def test_S50_a_user_is_counted_wherever_they_are(service: tuple[Api, str]) -> None:
    api, prefix = service
    network = new_network()
    first, second = [await api.login(await api.register()) for _ in range(2)]
    networks = [api.at(f"{new_network()}.1") for _ in range(3)]
    assert [(await here.get(f"{prefix}/own", first)).status_code for here in networks] == [200, 200, 429]
    # In one network, users do not count for each other, nor for callers without an account.
    here = api.at(f"{network}.1")
    assert await statuses(here, f"{prefix}/own", 3, second) == [200, 200, 429]
    assert await statuses(here, f"{prefix}/own", 3) == [200, 200, 429]


async def test_S50_an_invalid_token_counts_for_the_network(service: tuple[Api, str]) -> None:
    api, prefix = service
    here = api.at(f"{new_network()}.1")
    user = await api.register()
    ended = await api.login(user)
    await api.post("/auth/logout", {"refresh_token": ended.refresh})
    invented = [Tokens(f"invented{number}", "") for number in range(2)]
    answers = [(await here.get(f"{prefix}/own", tokens)).status_code for tokens in (ended, *invented)]
    assert answers == [200, 200, 429]
    # A stolen token whose session was ended does not use up the limit of its user.
    assert await statuses(here, f"{prefix}/own", 2, await api.login(user)) == [200, 200]
    assert await statuses(here, f"{prefix}/mine", 3) == [401, 401, 429]


async def test_S50_a_head_request_counts_as_a_get_request_and_another_method_on_its_own(
    service: tuple[Api, str],
) -> None:
    api, prefix = service
    here = api.at(f"{new_network()}.1")
    for method, status in (("GET", 200), ("HEAD", 200), ("GET", 429), ("HEAD", 429)):
        assert await statuses(here, f"{prefix}/own", 1, method=method) == [status]
    # Requests that are not valid count too.
    assert await statuses(here, f"{prefix}/own", 3, method="POST") == [422, 422, 429]


async def test_S50_routes_share_a_scope_and_a_key_replaces_the_user(service: tuple[Api, str]) -> None:
    api, prefix = service
    here = api.at(f"{new_network()}.1")
    paths = ("first", "second", "first", "second")
    assert [(await here.get(f"{prefix}/{path}")).status_code for path in paths] == [200, 200, 429, 429]
    networks = [api.at(f"{new_network()}.1") for _ in range(3)]
    for project in ("1", "x" * 4000, "%C3%A9%00%F0%9F%98%80"):
        path = f"{prefix}/projects/{project}"
        assert [(await network.get(path)).status_code for network in networks] == [200, 200, 429]


async def test_S50_an_api_key_counts_for_its_owner(service: tuple[Api, str]) -> None:
    api, prefix = service
    tokens = await api.login(await api.register_superuser())
    body = {"name": "machine", "scopes": ["tasks:use"], "expires_in_days": 1}
    key = (await api.post("/auth/api-keys", body, tokens)).json()["key"]
    here, as_key = api.at(f"{new_network()}.1"), {"X-API-Key": key}
    answers = [
        await here.get(f"{prefix}/own", headers=as_key),
        await here.get(f"{prefix}/own", tokens),
        await here.get(f"{prefix}/own", headers={"Authorization": f"Bearer {key}"}),
        # Neither an altered key nor several credentials count for the owner.
        await here.get(f"{prefix}/own", headers={"X-API-Key": f"{key[:-1]}{'A' if key[-1] != 'A' else 'B'}"}),
        await here.get(f"{prefix}/own", tokens, headers=as_key),
        await here.get(f"{prefix}/own"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200, 429]


async def test_S50_without_redis_requests_are_refused_unless_a_route_allows_them(
    service_settings: Callable[..., Settings], capfd: pytest.CaptureFixture[str]
) -> None:
    async with limited(service_settings(redis_url=SILENT_REDIS)) as (api, prefix):
        refused = await api.get(f"{prefix}/own")
        assert (refused.status_code, refused.json()["code"]) == (503, "rate_limit_unavailable")
        assert refused.headers["retry-after"]
        assert await statuses(api, f"{prefix}/tolerant", 3) == [200] * 3
    assert "request_not_counted" in "".join(capfd.readouterr())


async def test_S50_the_openapi_document_lists_the_refusal(service_settings: Callable[..., Settings]) -> None:
    router = limited_router()
    document = application(service_settings(), router).openapi()
    own = document["paths"][f"/api/v1{router.prefix}/own"]
    for method in ("get", "post"):
        content = own[method]["responses"]["429"]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert "429" not in document["paths"]["/api/v1/health/ping"]["get"]["responses"]


def test_S50_a_wrong_rate_is_an_error_when_the_route_is_defined() -> None:
    with pytest.raises(RateError, match=r"^rate limit '10/minut': must be a count and a time, such as 10/minute"):
        RateLimit("10/minut")


async def test_S50_routes_of_one_router_under_two_prefixes_count_on_their_own(
    service_settings: Callable[..., Settings],
) -> None:
    inner, outer = APIRouter(), APIRouter(prefix=f"/limited/{new_name()}")

    @inner.get("/list", dependencies=[Depends(RateLimit("2/hour"))])
    async def listed() -> str:
        return "done"

    other = APIRouter()

    @other.get("/list", operation_id="others", dependencies=[Depends(RateLimit("2/hour"))])
    async def others() -> str:
        return "done"

    outer.include_router(inner, prefix="/first")
    outer.include_router(other, prefix="/second")
    settings = service_settings()
    async with running(application(settings, outer), settings) as api:
        assert await statuses(api, f"{outer.prefix}/first/list", 3) == [200, 200, 429]
        assert await statuses(api, f"{outer.prefix}/second/list", 3) == [200, 200, 429]
