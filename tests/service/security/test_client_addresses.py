"""Behind proxies, everything that counts or notes an address uses the client's, and nobody can choose theirs."""

from __future__ import annotations

import asyncio

import pytest

from inference_core.app.edge import forwarded
from inference_core.auth import audit
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, new_network
from tests.support.logs import log_lines_of

pytestmark = pytest.mark.anyio

PROXY = "192.0.2.1"
WRONG = "TheWrongSecret1"


def behind(api: Api, address: str) -> Api:
    """The application for a client at `address`, through a proxy that appends what it sees."""
    proxied = api.at(PROXY)
    proxied.client.headers["X-Forwarded-For"] = f"6.6.6.6, {address}"
    return proxied


async def test_S51_a_guesser_behind_a_proxy_locks_out_only_their_own_network(
    start_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited = log_lines_of(audit, monkeypatch)
    async with start_app(trusted_proxies=[PROXY], login_failures_allowed=3) as api:
        user = await api.register()
        guesser, owner = behind(api, f"{new_network()}.1"), behind(api, f"{new_network()}.1")
        statuses = [(await guesser.try_login(user, WRONG)).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        tokens = await owner.login(user)
        (session,) = (await owner.get("/auth/sessions", tokens)).json()
        seen = owner.client.headers["X-Forwarded-For"].removeprefix("6.6.6.6, ")
        assert session["address"] == seen
        assert [entry["ip"] for entry in audited if entry["event"] == "login_succeeded"] == [seen]


@pytest.mark.parametrize("trusted", [[], ["198.51.100.0/24"]])
async def test_S51_headers_of_others_change_no_limit_and_no_entry(
    start_app: AppFactory, monkeypatch: pytest.MonkeyPatch, trusted: list[str]
) -> None:
    audited, warned = log_lines_of(audit, monkeypatch), log_lines_of(forwarded, monkeypatch)
    async with start_app(trusted_proxies=trusted, login_failures_allowed=3) as api:
        user = await api.register()
        address = f"{new_network()}.1"
        guesser = api.at(address)
        statuses = []
        for number in range(5):
            guesser.client.headers["X-Forwarded-For"] = f"203.0.113.{number}"
            guesser.client.headers["Forwarded"] = f"for=203.0.113.{number}"
            statuses.append((await guesser.try_login(user, WRONG)).status_code)
        assert statuses == [401, 401, 401, 429, 429]
        assert {entry["ip"] for entry in audited if entry["event"] == "login_failed"} == {address}
        assert [entry["event"] for entry in warned] == ["forwarding_headers_ignored"]


async def test_S51_limits_of_networks_count_the_clients_of_a_proxy_apart(start_app: AppFactory) -> None:
    async with start_app(trusted_proxies=[PROXY], passwords_per_network_per_minute=1) as api:
        user = await api.at(f"{new_network()}.1").register()
        first, second = (behind(api, f"{new_network()}.1") for _ in range(2))
        statuses = [(await client.try_login(user)).status_code for client in (first, first, second)]
        assert statuses == [200, 429, 200]


async def test_S51_the_requests_in_progress_of_one_client_of_a_proxy_are_limited(start_app: AppFactory) -> None:
    async with start_app(trusted_proxies=[PROXY], max_connections_per_address=2, max_concurrent_requests=1) as api:
        api.state.traffic.try_enter()  # requests wait while this slot is taken
        first, second = behind(api, f"{new_network()}.1"), behind(api, f"{new_network()}.1")
        waiting = [asyncio.create_task(first.get("/auth/me")) for _ in range(2)]
        while len(api.state.traffic.waiting) < 2:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.002)
        refused = await first.get("/auth/me")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_connections")
        assert refused.headers["Retry-After"] == "1"
        assert (await first.get("/health/ping")).status_code == 200
        other = asyncio.create_task(second.get("/auth/me"))
        api.state.traffic.leave()
        answers = await asyncio.gather(*waiting, other)
        assert {answer.status_code for answer in answers} == {401}
        assert (await first.get("/auth/me")).status_code == 401
