"""Proxies of the environment apply to other hosts, and never to this machine."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from inference_core.llm import errors
from inference_core.llm.config.environment import is_loopback
from inference_core.llm.providers.network import http_client
from inference_core.llm.providers.openai_compatible import OpenAICompatibleProvider
from inference_core.llm.types import ChatRequest, Message, ModelCall, Provider
from tests.service.llm.providers.wires import SECRET, WIRES, Wire, openai_stream
from tests.support.wire_server import Script, wire_server

pytestmark = pytest.mark.anyio

REQUEST = ChatRequest((Message("user", "why?"),))
CALL = ModelCall("m", "m")


async def ask(provider: Provider) -> None:
    try:
        async with asyncio.timeout(20):
            async for _ in provider.stream(REQUEST, CALL):
                pass
    finally:
        await provider.aclose()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.8.9.10", True),
        ("http://localhost:11434/v1", True),
        ("http://model.localhost", True),
        ("http://[::1]:8000", True),
        ("https://localhost.example", False),
        ("http://10.0.0.1", False),
        ("http://[::2]", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(url: str, is_here: bool) -> None:
    assert is_loopback(url) is is_here


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
async def test_a_host_elsewhere_is_asked_through_the_proxy(
    wire: Wire, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with wire_server(Script(wire.stream())) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        await ask(wire.provider("http://llm.invalid:8000"))
        assert proxy.requests[0].path.startswith("http://llm.invalid:8000/")


async def test_https_goes_through_a_tunnel_and_a_refusing_proxy_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire_server(Script(status=407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        provider = OpenAICompatibleProvider("p", "https://llm.invalid/v1", SecretStr(SECRET), connect_s=5)
        with pytest.raises(errors.UpstreamFailedError) as raised:
            await ask(provider)
        assert raised.value.diagnostic == "ProxyError"
        (tunnel,) = proxy.requests
        assert (tunnel.method, tunnel.path) == ("CONNECT", "llm.invalid:443")
        assert SECRET not in repr(tunnel)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_this_machine_is_never_asked_through_a_proxy(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire_server(Script(wire.stream())) as server:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")
        await ask(wire.provider(server.url))
        assert server.requests[0].path.startswith("/")


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:port", "socks5h://127.0.0.1:9"])
async def test_a_malformed_proxy_does_not_keep_this_machine_from_being_asked(
    wire: Wire, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    async with wire_server(Script(wire.stream())) as server:
        await ask(wire.provider(server.url))
        assert len(server.requests) == 1


async def test_hosts_in_no_proxy_are_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire_server(Script(openai_stream())) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "llm.invalid")
        provider = OpenAICompatibleProvider("p", "http://llm.invalid:8000/v1", None, connect_s=5)
        with pytest.raises(errors.UpstreamUnavailableError):
            await ask(provider)
        assert proxy.connections == 0


async def test_a_request_ends_at_its_own_host_by_default() -> None:
    async with http_client("http://127.0.0.1:9/v1", 1.0) as client:
        assert not client.follow_redirects


@pytest.mark.parametrize("fault", ["ä", "\u4e2d", "x y"])
async def test_a_fault_that_no_header_carries_is_a_refusal_of_the_simulator(fault: str) -> None:
    async with wire_server(Script([b"{}"], 400, content_type="application/json")) as server:
        provider = OpenAICompatibleProvider("p", f"{server.url}/v1", None, connect_s=5, simulator=True)
        with pytest.raises(errors.ProviderBadRequestError):
            await anext(provider.stream(ChatRequest(REQUEST.messages, fault=fault), CALL))
        await provider.aclose()
