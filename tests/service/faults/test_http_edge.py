"""F17, F27: whatever bytes a caller sends, and wherever they break off, the service works little for them and goes on.

A turn of the event loop is judged by the work of its thread, which other programs on the machine do not add to. What a
collection of garbage, a first call or a busy processor did to one try is not in the next: only what holds the loop each
time it is sent counts.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from encodings import aliases
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from inference_core.app.stack.ports import LOOPBACK
from tests.support.processes import wait_until
from tests.support.service import PREFIX, ApiProcess, api_process, service_env

pytestmark = pytest.mark.full

LIMIT_MS = 50.0
TRIES = 4
SECONDS = 15.0
MAY_GROW_MIB = 150
ANSWERED_WITHIN_S = 0.4
ENCODINGS = sorted({*aliases.aliases.values(), "idna", "punycode", "undefined", "raw_unicode_escape", "latin-1"})
TARGETS = [
    *(f"{PREFIX}/auth/{name}" for name in ("login", "token", "register", "refresh", "me", "forgot-password")),
    *(f"{PREFIX}/llm/{name}" for name in ("explain", "explain/stream", "sessions")),
    *(f"{PREFIX}/health/{name}" for name in ("", "ping", "database")),
    f"{PREFIX}/tasks/x/status",
    "/metrics",
    "/docs",
    "/no/such/path",
    "*",
]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one connection is sent: in pieces, with pauses between them, and how it ends."""

    pieces: tuple[bytes, ...]
    pause_s: float = 0.0
    reset: bool = False
    wait: bool = True

    def __repr__(self) -> str:
        shown = [piece if len(piece) < 300 else piece[:200] + b"... %d bytes" % len(piece) for piece in self.pieces[:4]]
        return f"Exchange({shown}, {len(self.pieces)} pieces, pause_s={self.pause_s}, reset={self.reset})"


@pytest.fixture(scope="module")
def api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder: Path = tmp_path_factory.mktemp("edge")
    simulated = {"LLM_PROVIDER_MODE": "simulated", "LLM_SIMULATOR_SPEED": "instant"}
    env = service_env(folder, redis_url, MAX_CONCURRENT_REQUESTS="8", **simulated)
    with api_process(folder, env, "--loop", "asyncio", app="tests.support.watched_app:app") as api:
        yield api


@pytest.fixture(scope="module")
def client(api: ApiProcess) -> Iterator[httpx2.Client]:
    with api.client(timeout_s=30) as client:
        yield client


def send(port: int, exchange: Exchange) -> bytes:
    """Send it and read what comes, as long as anything does."""
    said = b""
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        try:
            for piece in exchange.pieces:
                connection.sendall(piece)
                if exchange.pause_s:
                    time.sleep(exchange.pause_s)
            connection.settimeout(ANSWERED_WITHIN_S)
            while exchange.wait and (more := connection.recv(1 << 16)) and len(said) < 1 << 16:
                said += more
                connection.settimeout(0.02)
        except (TimeoutError, ConnectionError):
            pass  # nothing more comes, or what came was enough for the server
        if exchange.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return said


def worked_ms(client: httpx2.Client, exchange: Exchange) -> float:
    """How long a turn of the loop at least took for it, in the best of a few tries."""
    seen: list[float] = []
    while not seen or (seen[-1] >= LIMIT_MS and len(seen) < TRIES):
        client.get(f"{PREFIX}/test/longest-turn")
        said = send(int(client.base_url.port or 0), exchange)
        assert b"HTTP/1.1 500" not in said
        seen.append(client.get(f"{PREFIX}/test/longest-turn").json()["cpu_ms"])
    return min(seen)


def request(target: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def of_size(part: bytes, size: int) -> bytes:
    return (part * (size // max(len(part), 1) + 1))[:size]


def json_flood(part: bytes, size: int) -> bytes:
    return b'{"question": [' + of_size(part, size) + b"1]}"


# The largest bodies that are read at all, of what parsers take long for.
MEBIBYTE = 1024 * 1024 - 64
FLOODS = {
    "lists": json_flood(b"[],", MEBIBYTE),
    "lists that are read": json_flood(b"[],", 175_000),
    "objects that are read": json_flood(b"{},", 175_000),
    "numbers that are read": json_flood(b"1,", 470_000),
    "keys": b"{" + b",".join(b'"%d":1' % number for number in range(39_000)) + b"}",
    "nested": of_size(b'{"a":[', MEBIBYTE),
    "escapes": b'{"question": "' + of_size(b"\\u00e9", 900_000) + b'"}',
    "half pairs": b'{"question": "' + of_size(b"\\ud800", 900_000) + b'"}',
    "digits": b'{"question": ' + b"1" * MEBIBYTE + b"}",
    "utf-16": '{"question": "x"}'.encode("utf-16") * 10_000,
    "blanks": b" " * MEBIBYTE,
}


@pytest.mark.parametrize("name", FLOODS)
def test_F17_no_json_holds_the_loop(name: str, api: ApiProcess, client: httpx2.Client) -> None:
    for target in (f"{PREFIX}/llm/explain/stream", f"{PREFIX}/auth/login"):
        sent = request(target, FLOODS[name], "Content-Type: application/json", "Connection: close")
        assert worked_ms(client, Exchange((sent,))) < LIMIT_MS


def test_F17_no_form_holds_the_loop_whatever_it_says_it_is_encoded_in(api: ApiProcess, client: httpx2.Client) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n'
    target = f"{PREFIX}/auth/token"
    for encoding in ENCODINGS:
        for size in (15_000, 300_000):
            body = part + of_size(b"a9b", size) + b"\r\n--x--\r\n"
            kind = f"Content-Type: multipart/form-data; boundary=x; charset={encoding}"
            assert worked_ms(client, Exchange((request(target, body, kind, "Connection: close"),))) < LIMIT_MS, encoding
    many = (part + b"\r\n") * 200
    odd = b"--x\r\nContent-Disposition: form-data" + b';"' * 7000 + b"\r\n\r\n\r\n--x--\r\n"
    for body in (many + b"--x--\r\n", odd, b"--x\r\n" + b"a:b\r\n" * 3000, b"--x" * 5000):
        sent = request(target, body, "Content-Type: multipart/form-data; boundary=x", "Connection: close")
        assert worked_ms(client, Exchange((sent,))) < LIMIT_MS


HEADS = {
    "cookies": "Cookie: " + 'a="\\101";' * 6000,
    "quoted cookie": 'Cookie: a="' + "\\101" * 15_000 + '"',
    "accept": "Accept: " + "text/html;q=0.1," * 3900,
    "forwarded": "X-Forwarded-For: " + "127.0.0.1," * 6300,
    "bearer": "Authorization: Bearer " + "a" * 60_000,
    "content type": "Content-Type: application/json" + ";" * 60_000,
    "languages": "Accept-Language: " + "a," * 30_000,
    "host": "X-Host: " + ":" * 60_000,
}


@pytest.mark.parametrize("name", HEADS)
def test_F17_no_head_holds_the_loop(name: str, api: ApiProcess, client: httpx2.Client) -> None:
    for method, target in (("GET", "/metrics"), ("GET", f"{PREFIX}/auth/me"), ("POST", f"{PREFIX}/auth/refresh")):
        sent = request(target, b"", HEADS[name], "X-Token-Transport: cookie", "Connection: close", method=method)
        assert worked_ms(client, Exchange((sent,))) < LIMIT_MS


def test_F17_no_stream_of_small_things_holds_the_loop(api: ApiProcess, client: httpx2.Client) -> None:
    chunked = request(f"{PREFIX}/llm/explain", b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    ping = request(f"{PREFIX}/health/ping", b"", method="GET")
    for sent in (
        chunked + b"1\r\n{\r\n" * 150_000,
        chunked + b"0\r\n" + b"a:b\r\n" * 100_000,
        ping * 2000,
        b"\r\n" * 200_000,
        ping[:-2] + b"a:b\r\n" * 100_000,
        b"GET /" + b"%41" * 2600 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics?" + b"a&" * 4000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        assert worked_ms(client, Exchange((sent,))) < LIMIT_MS


tokens = st.text("abcdefgh-XYZ0129", min_size=1, max_size=12)
values = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40),
    st.sampled_from(
        ["close", "keep-alive", "upgrade", "chunked", "100-continue", "gzip, chunked", "0", "-1", "1" * 40]
    ),
)
types = st.one_of(
    st.sampled_from(["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]),
    st.sampled_from(ENCODINGS).map(lambda name: f"multipart/form-data; boundary=x; charset={name}"),
    st.sampled_from(ENCODINGS).map(lambda name: f"application/json; charset={name}"),
)
known = st.sampled_from(
    [
        "Cookie",
        "Accept",
        "Authorization",
        "Expect",
        "Upgrade",
        "Connection",
        "Transfer-Encoding",
        "Content-Length",
        "X-Request-ID",
        "traceparent",
        "Host",
        "X-Forwarded-For",
        "Idempotency-Key",
        "Origin",
        "X-Token-Transport",
    ]
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.builds(of_size, st.binary(min_size=1, max_size=8), st.integers(0, 60_000)),
    st.builds(
        lambda part, size: b"username=" + of_size(part, size), st.sampled_from([b"%", b"&", b"%f"]), st.just(9000)
    ),
    st.just(b'{"username": "edgeofhttp", "password": "nothing"}'),
    st.just(b'{"question": "why?"}'),
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A request, more or less well-formed."""
    body = draw(bodies)
    headers = draw(st.lists(st.tuples(st.one_of(known, tokens), values), max_size=8))
    method = draw(st.sampled_from(["GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "CONNECT", "Q"]))
    lines = [
        f"{method} {draw(st.sampled_from(TARGETS))} HTTP/1.{draw(st.sampled_from('1110'))}",
        f"Content-Type: {draw(types)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    frame = draw(st.sampled_from(["length", "chunked", "none", "wrong length"]))
    if frame == "chunked":
        lines.append("Transfer-Encoding: chunked")
        size = draw(st.integers(1, 5000))
        chunks = [body[start : start + size] for start in range(0, len(body), size)][:2000]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    elif frame != "none":
        lines.append(f"Content-Length: {len(body) + (draw(st.integers(1, 100)) if frame == 'wrong length' else 0)}")
    event(frame)
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """One or several requests on a connection, or plain noise, cut somewhere and sent in pieces."""
    data = b"".join(draw(st.lists(st.one_of(messages(), messages(), st.binary(max_size=300)), min_size=1, max_size=3)))
    if draw(st.booleans()):
        data = data[: draw(st.integers(0, len(data)))]
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    pause_s = draw(st.sampled_from([0.0, 0.0, 0.002, 0.01]))
    return Exchange(tuple(pieces), pause_s, draw(st.booleans()), draw(st.booleans()))


def test_F27_whatever_is_sent_and_wherever_it_breaks_off_the_service_goes_on(
    api: ApiProcess, client: httpx2.Client
) -> None:
    process = psutil.Process(api.pid)
    client.get(f"{PREFIX}/health/")
    before = process.memory_info().rss
    over_s = time.monotonic() + SECONDS

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(exchanges())
    def go_on(exchange: Exchange) -> None:
        if time.monotonic() < over_s:
            assert worked_ms(client, exchange) < LIMIT_MS

    go_on()
    wait_until(lambda: gauges(client) == {"active": 0.0, "waiting": 0.0, "streams": 0.0}, within_s=30, what="all over")
    # The one that asks, and nothing else.
    wait_until(lambda: len(connections_of(process, api.port)) <= 1, within_s=30, what="connections closed")
    assert client.get(f"{PREFIX}/health/").status_code == 200
    assert (process.memory_info().rss - before) / 2**20 < MAY_GROW_MIB
    assert "Traceback" not in api.log.read_text(errors="replace")


def gauges(client: httpx2.Client) -> dict[str, float]:
    text = client.get("/metrics").text
    names = {"active": "http_requests_active", "waiting": "http_requests_waiting", "streams": "llm_streams_active"}
    found = {key: re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for key, name in names.items()}
    return {key: float(match[1]) if match else 0.0 for key, match in found.items()}


def connections_of(process: psutil.Process, port: int) -> list[Any]:
    return [one for one in process.net_connections("tcp") if one.laddr.port == port and one.status == "ESTABLISHED"]


def test_F27_slow_bodies_take_no_slot_from_others(api: ApiProcess, client: httpx2.Client) -> None:
    slow = request(f"{PREFIX}/auth/login", b"{" * 100, "Content-Type: application/json")[:-99]
    held = [socket.create_connection((LOOPBACK, api.port), timeout=10) for _ in range(100)]
    try:
        for connection in held:
            connection.sendall(slow)
        wait_until(lambda: len(connections_of(psutil.Process(api.pid), api.port)) > 100)
        for _ in range(20):
            assert client.get("/").status_code == 200
            assert client.post(f"{PREFIX}/auth/logout", json={"refresh_token": "x"}).status_code == 200
        assert gauges(client)["active"] <= 1
    finally:
        for connection in held:
            connection.close()
