"""Test the HTTP server and the processes of the stubs: keep-alive, bad input, and how they end."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.calibrate.stubs.server import number_above_0, number_from_0, share, whole_number
from benchmarks.calibrate.stubs.started import ROOT, NotStartedError, Started, started, stub
from tests.support.processes import wait_until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def idle() -> Iterator[Started]:
    with stub("draining", "--tau", 1) as idle:
        yield idle


@contextlib.contextmanager
def connected(stub: Started) -> Iterator[socket.socket]:
    parts = urlsplit(stub.url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=20) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


def test_a_connection_serves_many_requests(idle: Started) -> None:
    connection = http.client.HTTPConnection(urlsplit(idle.url).netloc, timeout=20)
    connection.connect()
    used = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"ok\n")
        assert connection.sock is used
    connection.close()


def test_requests_that_arrive_together_or_in_pieces_are_each_answered(idle: Started) -> None:
    with connected(idle) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 3 + b"GET /tru")
        connection.sendall(b"th HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = until_closed(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert received.endswith(b"}")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n", b"404"),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET \xff\xfe HTTP/1.1\r\nConnection: close\r\n\r\n", b"404"),
        *(
            (b"GET /disturb%b HTTP/1.1\r\nConnection: close\r\n\r\n" % query, b"400")
            for query in (b"", b"?for=", b"?for=soon", b"?for=-1", b"?for=nan", b"?for=inf")
        ),
    ],
)
def test_a_bad_request_gets_one_line_that_says_why(idle: Started, request_head: bytes, status: bytes) -> None:
    with connected(idle) as connection:
        connection.sendall(request_head)
        head, _, body = until_closed(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1
    assert len(body) > 10


def test_a_head_without_an_end_closes_the_connection(idle: Started) -> None:
    with connected(idle) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"x" * 200_000)
        with contextlib.suppress(ConnectionError):
            assert until_closed(connection) == b""
    assert idle.get("/") == "ok\n"


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (number_from_0, ["", "x", "-1", "nan", "inf", "1e999"]),
        (number_above_0, ["0", "-0.0", "nan"]),
        (share, ["1.1", "-0.1", "nan"]),
        (whole_number, ["0", "1.5", "-1", "", "²"]),
    ],
)
def test_numbers_that_make_no_sense_are_refused(parse: Callable[[str], float], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)


@pytest.mark.parametrize("arguments", [(), ("no-such-mode",), ("cache", "--speed", "0")])
def test_a_server_that_does_not_start_is_an_error(
    arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotStartedError, match="did not start"), stub("leaky", *arguments):
        pass
    assert "error:" in capfd.readouterr().err


def test_a_program_that_ends_without_a_url_is_an_error() -> None:
    with pytest.raises(NotStartedError, match=r"json\.decoder did not start"), started("json.decoder"):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stub_ends_well_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "benchmarks.calibrate.stubs.leaky", "thread-leak", "--speed", "600"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_stub_ends_with_its_parent() -> None:
    start_and_crash = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'benchmarks.calibrate.stubs.leaky', 'none'],"
        " stdout=subprocess.PIPE)\n"
        "assert child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "os._exit(1)\n"
    )
    command = [sys.executable, "-c", start_and_crash]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    pid = int(done.stdout)
    wait_until(lambda: not _runs(pid), what="the end of the stub")


def _runs(pid: int) -> bool:
    try:
        # A zombie that nobody waits for has ended as well; it has no command line.
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False
