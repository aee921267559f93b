"""The proxy configuration that `deploy/` ships, in a real HAProxy before a server that notes what reaches it."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from inference_core.app.stack.ports import LOOPBACK, free_port
from tests.support.processes import wait_until
from tests.support.raw_http import said_to
from tests.support.servers.proxies import installed, running_proxy
from tests.support.stack import ROOT

pytestmark = pytest.mark.full

SHIPPED = ROOT / "deploy" / "haproxy.cfg"
HEAD_WITHIN_S = 1.0


@dataclass
class Proxied:
    """A running proxy, and the heads of what it sent on. `breaks` ends the next connection without a response."""

    port: int
    seen: list[dict[str, str]] = field(default_factory=list)
    breaks: bool = False


@pytest.fixture(scope="module")
def haproxy() -> str:
    return installed("haproxy")


@pytest.fixture(scope="module")
def proxied(haproxy: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """The shipped configuration; only its size, its ports and the time for a head are changed to fit a test."""
    proxied = Proxied(free_port())

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith("/api/v1/health/ready"):
                proxied.seen.append({name.lower(): value for name, value in self.headers.items()})
                if proxied.breaks:
                    proxied.breaks = False
                    self.close_connection = True
                    return
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the name that the base class calls

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Not into the tests' output."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Noting)
    server.daemon_threads = True
    text = SHIPPED.read_text()
    for shipped, ours in (
        ("maxconn 4000", "maxconn 400"),
        ("bind :80", f"bind {LOOPBACK}:{proxied.port}"),
        ("127.0.0.1:8000", f"{LOOPBACK}:{server.server_port}"),
        ("timeout http-request 10s", f"timeout http-request {HEAD_WITHIN_S:.0f}s"),
    ):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, ours)
    configuration = tmp_path_factory.mktemp("haproxy") / "haproxy.cfg"
    configuration.write_text(text)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with running_proxy([haproxy, "-db", "-f", configuration], proxied.port):
            wait_until(lambda: httpx2.get(f"http://{LOOPBACK}:{proxied.port}/", trust_env=False).status_code == 200)
            yield proxied
    finally:
        server.shutdown()
        server.server_close()


def test_the_proxy_configuration_is_valid_as_it_is_shipped(haproxy: str) -> None:
    checked = subprocess.run([haproxy, "-c", "-f", SHIPPED], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warning" not in checked.stderr.lower()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", 408),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nslow", 408),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 400),
    ],
    ids=["slow head", "slow body", "many headers", "large head"],
)
def test_the_proxy_sends_on_no_request_that_is_slow_or_too_large(proxied: Proxied, sent: bytes, status: int) -> None:
    before = len(proxied.seen)
    start_s = time.monotonic()
    assert said_to(proxied.port, sent).startswith(b"HTTP/1.1 %d " % status)
    assert (time.monotonic() - start_s >= 0.9 * HEAD_WITHIN_S) == (status == 408)
    assert len(proxied.seen) == before


def test_the_proxy_says_whose_request_it_is_whatever_the_caller_says(proxied: Proxied) -> None:
    claimed = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "Forwarded": "for=1.2.3.4"}
    httpx2.get(f"http://{LOOPBACK}:{proxied.port}/", headers=claimed, trust_env=False)
    assert proxied.seen[-1]["x-forwarded-for"] == LOOPBACK
    assert proxied.seen[-1]["x-forwarded-proto"] == "http"
    assert "forwarded" not in proxied.seen[-1]


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics?x", "/%6detrics", "/%6D%65trics", "/metrics%2f"])
def test_the_proxy_does_not_expose_metrics(proxied: Proxied, path: str) -> None:
    before = len(proxied.seen)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert said_to(proxied.port, request.encode()).startswith(b"HTTP/1.1 404 ")
    assert len(proxied.seen) == before


@pytest.mark.parametrize(("method", "status", "times"), [("GET", 200, 2), ("HEAD", 200, 2), ("POST", 502, 1)])
def test_the_proxy_repeats_only_a_request_that_changes_nothing(
    proxied: Proxied, method: str, status: int, times: int
) -> None:
    before = len(proxied.seen)
    proxied.breaks = True
    answer = httpx2.request(method, f"http://{LOOPBACK}:{proxied.port}/", timeout=30, trust_env=False)
    assert (answer.status_code, len(proxied.seen) - before) == (status, times)


def test_the_proxy_bounds_the_connections_of_an_address(proxied: Proxied) -> None:
    def is_served() -> bool:
        try:
            return b" 200 " in said_to(proxied.port, b"GET / HTTP/1.0\r\n\r\n").partition(b"\r\n")[0]
        except ConnectionError:
            return False

    def refuses_one_more_than_100() -> bool:
        wait_until(is_served, what="the connections before forgotten")
        with ExitStack() as crowd:
            for _ in range(100):
                crowd.enter_context(socket.create_connection((LOOPBACK, proxied.port), timeout=5))
            return not is_served()

    # On a busy machine, the first of the crowd may run into the limit of a head before the last has come.
    wait_until(refuses_one_more_than_100, within_s=60, what="a connection refused")
    wait_until(is_served)
