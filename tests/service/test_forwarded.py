"""Which address and scheme a request gets from the headers of proxies, whoever sends them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from inference_core.app.edge.forwarded import MOST_ENTRIES, Forwarding, Headers
from inference_core.core.addresses import TrustedProxies, client_address, limited_address

CLIENT = "203.0.113.9"
PROXY = "10.0.0.1"
TRUSTED = ("10.0.0.0/8", "fd00::/8", "unix")
STRANGERS = ("203.0.113.9", "192.168.0.1", "11.0.0.1", "2001:db8::1", "::ffff:203.0.113.9", "127.0.0.1")


def xff(*values: str) -> Headers:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


def forwarded(*values: str) -> Headers:
    return [(b"forwarded", value.encode("latin-1")) for value in values]


def proto(*values: str) -> Headers:
    return [(b"x-forwarded-proto", value.encode("latin-1")) for value in values]


def scope_of(headers: Headers, peer: str | None = PROXY, trusted: tuple[str, ...] = TRUSTED) -> dict[str, Any]:
    """The scope of a request with these headers. A peer of None is at a Unix socket."""
    server = ("/run/api.sock", None) if peer is None else ("10.0.0.2", 8000)
    scope = {"client": peer and (peer, 4711), "server": server, "scheme": "http"}
    Forwarding(TrustedProxies.parse(trusted)).apply(scope, headers)
    return scope


def client_of(headers: Headers, peer: str | None = PROXY) -> str:
    return client_address(scope_of(headers, peer))


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (xff(CLIENT), CLIENT),
        (xff(f"6.6.6.6, {CLIENT}"), CLIENT),
        (xff(f"{CLIENT}, 10.0.0.7, 10.1.2.3"), CLIENT),
        (xff("6.6.6.6", CLIENT, "10.0.0.7"), CLIENT),
        (xff("10.0.0.9, 10.0.0.8"), "10.0.0.9"),
        (xff(f"{CLIENT}:8080"), CLIENT),
        (xff("2001:db8::7"), "2001:db8::7"),
        (xff("[2001:db8::7]"), "2001:db8::7"),
        (xff("[2001:DB8::7]:443"), "2001:db8::7"),
        (xff(f"::ffff:{CLIENT}"), CLIENT),
        (xff(f"{CLIENT}, ::ffff:10.0.0.7"), CLIENT),
        (xff(f"{CLIENT}, fd00::7"), CLIENT),
        (xff(f"  {CLIENT}\t , "), CLIENT),
        (xff("", CLIENT, ""), CLIENT),
        (xff(*["6.6.6.6"] * 90, CLIENT), CLIENT),
        (xff("6.6.6.6, " * 1000 + CLIENT), CLIENT),
        # What is no address ends the walk at the last address that is known.
        (xff(f"{CLIENT}, unknown"), PROXY),
        (xff(f"{CLIENT}, unknown, 10.0.0.7"), "10.0.0.7"),
        (xff("unknown"), PROXY),
        (xff("_hidden"), PROXY),
        (xff("localhost"), PROXY),
        (xff("203.0.113.9.evil.example"), PROXY),
        (xff("203.0.113.009"), PROXY),
        (xff("203.0.113.9:80:80"), PROXY),
        (xff("203.0.113.9:65536"), PROXY),
        (xff("203.0.113.9:"), PROXY),
        (xff("[203.0.113.9"), PROXY),
        (xff("fe80::1%eth0"), PROXY),
        (xff("[fe80::1%25eth0]"), PROXY),
        (xff("2001:db8::7%" + "x" * 7000), PROXY),
        (xff("1" * 8000), PROXY),
        (xff("\xb2.0.0.1"), PROXY),
        (xff(""), PROXY),
        (xff(",,,"), PROXY),
        (forwarded(f"for={CLIENT}"), CLIENT),
        (forwarded(f'For="{CLIENT}:4711"; proto=http;by=10.0.0.1'), CLIENT),
        (forwarded('for="[2001:db8::7]:4711"'), "2001:db8::7"),
        (forwarded('for="[2001:db8::7]:_port"'), "2001:db8::7"),
        (forwarded('for="2\\03.0.113.9"'), CLIENT),
        (forwarded(f"for=6.6.6.6, for={CLIENT}, for=10.0.0.7"), CLIENT),
        (forwarded("for=6.6.6.6", f"for={CLIENT}"), CLIENT),
        # A quote that the caller opens does not reach into what the proxy appends.
        (forwarded(f'for="6.6.6.6, for={CLIENT}'), CLIENT),
        (forwarded("for=unknown"), PROXY),
        (forwarded("for=_hidden"), PROXY),
        (forwarded("for=6.6.6.6, for=unknown"), PROXY),
        (forwarded(f"by={CLIENT}"), PROXY),
        (forwarded(f"for={CLIENT};for=6.6.6.6"), PROXY),
        (forwarded(f'for={CLIENT};ext="a,b"'), PROXY),
        (forwarded(f'for={CLIENT};ext="{"x" * 8000}"'), PROXY),
        (forwarded("for="), PROXY),
        (forwarded(";"), PROXY),
        # X-Forwarded-* is preferred. The two are never combined.
        (xff(CLIENT) + forwarded("for=6.6.6.6"), CLIENT),
        (xff(f"{CLIENT}, 10.0.0.7") + forwarded("for=6.6.6.6, for=10.0.0.7"), CLIENT),
        (xff("unknown") + forwarded("for=6.6.6.6"), PROXY),
        (proto("https") + forwarded("for=6.6.6.6"), PROXY),
        ([(b"x-forwarded-host", b"evil.example")], PROXY),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(headers: Headers, client: str) -> None:
    assert client_of(headers) == client
    assert client_of(headers, "::ffff:10.0.0.1") in {client, PROXY}


def test_a_chain_has_at_most_so_many_proxies() -> None:
    assert client_of(xff(CLIENT, *["10.0.0.7"] * MOST_ENTRIES)) == CLIENT
    assert client_of(xff(CLIENT, *["10.0.0.7"] * (MOST_ENTRIES + 1))) == "10.0.0.7"


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        (proto("https"), "https"),
        (proto("HTTPS"), "https"),
        (proto("https, http"), "http"),
        (proto("http", "https"), "https"),
        (proto("gopher"), "http"),
        (proto(""), "http"),
        (xff(CLIENT) + proto("https"), "https"),
        (xff("unknown") + proto("https"), "https"),
        (xff(CLIENT), "http"),
        (forwarded(f"for={CLIENT};proto=https"), "https"),
        (forwarded("for=unknown;proto=https"), "https"),
        (forwarded(f"for={CLIENT};proto=https, for=10.0.0.7;proto=http"), "https"),
        (forwarded(f"for=6.6.6.6;proto=https, for={CLIENT};proto=http"), "http"),
        (forwarded(f"for={CLIENT};proto=javascript"), "http"),
        (xff(CLIENT) + forwarded("for=6.6.6.6;proto=https"), "http"),
        (xff(CLIENT) + proto("http") + forwarded("for=6.6.6.6;proto=https"), "http"),
    ],
)
def test_the_scheme_is_the_one_that_a_trusted_proxy_names(headers: Headers, scheme: str) -> None:
    assert scope_of(headers)["scheme"] == scheme
    assert scope_of(headers, CLIENT)["scheme"] == "http"


def test_a_proxy_at_a_unix_socket_is_trusted_only_by_name() -> None:
    assert client_of(xff(CLIENT), None) == CLIENT
    assert client_of([], None) == ""
    assert client_address(scope_of(xff(CLIENT), None, ("10.0.0.0/8",))) == ""
    gone: dict[str, Any] = {"client": None, "server": ("10.0.0.2", 8000), "scheme": "http"}
    Forwarding(TrustedProxies.parse(TRUSTED)).apply(gone, xff(CLIENT))
    assert gone["client"] is None, "a connection over TCP whose peer is gone has no address either"


def test_networks_of_mapped_addresses_and_single_addresses_are_understood() -> None:
    trusted = TrustedProxies.parse(["::ffff:10.0.0.0/104", "192.0.2.1", "2001:db8::1"])
    assert all(address in trusted for address in ("10.9.9.9", "::ffff:10.1.1.1", "192.0.2.1", "2001:db8::1"))
    assert not any(address in trusted for address in ("11.0.0.1", "192.0.2.2", "2001:db8::2", "", "testclient"))
    assert "10.0.0.1" not in TrustedProxies.parse([])


@pytest.mark.parametrize(
    ("address", "counted"),
    [("203.0.113.9", "203.0.113.9"), ("::ffff:203.0.113.9", "203.0.113.9"), ("2001:db8::1", "2001:db8::/64"), ("", "")],
)
def test_connections_count_for_an_address_or_for_the_network_of_one_host(address: str, counted: str) -> None:
    assert limited_address(address) == counted


texts = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=80)
likely = st.sampled_from(
    [*STRANGERS, PROXY, "unknown", "_x", f"for={PROXY}", f'for="{CLIENT}"', "for=10.0.0.2;proto=https"]
)
entries = st.lists(texts | likely, max_size=6).map(", ".join)
claims = st.lists(
    st.tuples(
        st.sampled_from([b"x-forwarded-for", b"forwarded", b"x-forwarded-proto"]),
        entries.map(lambda text: text.encode("latin-1")),
    ),
    max_size=5,
)


@given(headers=claims, peer=st.sampled_from(STRANGERS), trusted=st.sampled_from([(), TRUSTED, ("unix",)]))
def test_no_header_that_an_untrusted_peer_sends_changes_the_address(
    headers: Headers, peer: str, trusted: tuple[str, ...]
) -> None:
    scope = scope_of(headers, peer, trusted)
    assert (scope["client"], scope["scheme"]) == ((peer, 4711), "http")


@given(headers=claims, client=st.sampled_from(STRANGERS), separate=st.booleans())
def test_no_header_that_a_client_sends_through_a_proxy_that_appends_changes_the_address(
    headers: list[tuple[bytes, bytes]], client: str, separate: bool
) -> None:
    told = [value for name, value in headers if name == b"x-forwarded-for"]
    kept = [header for header in headers if header[0] == b"forwarded"]
    lines = [*told, client.encode()] if separate else [b", ".join([*told, client.encode()])]
    sent = [*kept, *((b"x-forwarded-for", line) for line in lines), *proto("https")]
    scope = scope_of(sent)
    assert client_address(scope) == client_address({"client": (client, 0)})
    assert scope["scheme"] == "https"


@given(headers=claims)
def test_whatever_a_trusted_peer_sends_gives_an_address_of_bounded_length(headers: Headers) -> None:
    scope = scope_of(headers)
    assert len(scope["client"][0]) <= len("ffff:" * 7 + "ffff")
    assert 0 <= scope["client"][1] <= 65535
    assert scope["scheme"] in {"http", "https"}


@pytest.mark.parametrize("trusted", [(), TRUSTED])
def test_headers_of_others_are_named_once_in_the_log(trusted: tuple[str, ...]) -> None:
    forwarding = Forwarding(TrustedProxies.parse(trusted))
    with capture_logs() as logged:
        for _ in range(3):
            forwarding.apply({"client": (CLIENT, 1), "server": ("x", 1)}, xff("6.6.6.6"))
    (entry,) = logged
    assert (entry["event"], entry["peer"]) == ("forwarding_headers_ignored", CLIENT)
    assert "TRUSTED_PROXIES" in entry["detail"]
    assert "6.6.6.6" not in str(entry)


def test_a_proxy_that_passes_on_both_headers_is_named_once_in_the_log() -> None:
    forwarding = Forwarding(TrustedProxies.parse(TRUSTED))
    with capture_logs() as logged:
        for _ in range(3):
            forwarding.apply({"client": (PROXY, 1), "server": ("x", 1)}, xff(CLIENT) + forwarded("for=6.6.6.6"))
    assert [entry["event"] for entry in logged] == ["two_forwarding_headers"]
