"""Test the requests for metrics."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from loadgate.sampler.metrics import scrape
from loadgate.sampler.metrics.scrape import ScrapeError, Scraper
from tests.loadgate.sampler.metrics_server import MetricsServer

pytestmark = pytest.mark.process

Open = Callable[..., Scraper]


@pytest.fixture
def open_scraper() -> Iterator[Open]:
    """Return a function that makes a scraper, which is closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda url, bearer=None: stack.enter_context(contextlib.closing(Scraper(url, bearer)))


def failure(scraper: Scraper) -> str:
    with pytest.raises(ScrapeError) as caught:
        scraper.scrape()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_scrape_has_the_text_and_the_time_of_its_middle(server: MetricsServer, open_scraper: Open) -> None:
    before_s = time.time()
    found = open_scraper(f"{server.url}/metrics?x=1").scrape()
    assert found.text == server.text
    assert before_s <= found.at_s <= time.time()
    assert server.paths == ["/metrics?x=1"]


def test_one_connection_is_kept_and_no_compression_is_wanted(server: MetricsServer, open_scraper: Open) -> None:
    scraper = open_scraper(server.url)
    for _ in range(3):
        scraper.scrape()
    assert server.connections == 1
    assert {request["accept-encoding"] for request in server.requests} == {"identity"}


def test_a_connection_that_the_server_has_closed_is_replaced(server: MetricsServer, open_scraper: Open) -> None:
    server.closes = True
    scraper = open_scraper(server.url)
    for _ in range(3):
        assert scraper.scrape().text == server.text
    assert server.connections == 3


def test_a_proxy_is_not_used(server: MetricsServer, monkeypatch: pytest.MonkeyPatch, open_scraper: Open) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert open_scraper(server.url).scrape().text == server.text


def test_a_redirect_is_refused(server: MetricsServer, open_scraper: Open) -> None:
    server.status, server.headers = 302, {"Location": "/elsewhere"}
    assert failure(open_scraper(server.url)) == f"{server.url} answered 302; redirects are not followed"
    assert server.paths == ["/"]


def test_a_token_comes_from_the_environment(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch, open_scraper: Open
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", " s3cret\n")
    open_scraper(server.url, "TOKEN_OF_TEST").scrape()
    assert server.requests[0]["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(("token", "problem"), [("", "is not set"), ("a\nb", "contains characters that no token has")])
def test_a_wrong_token_is_not_sent(
    token: str, problem: str, server: MetricsServer, monkeypatch: pytest.MonkeyPatch, open_scraper: Open
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", token)
    assert f"the environment variable TOKEN_OF_TEST {problem}" in failure(open_scraper(server.url, "TOKEN_OF_TEST"))
    assert server.requests == []


def test_the_credentials_of_a_url_are_sent_but_not_shown(server: MetricsServer, open_scraper: Open) -> None:
    scraper = open_scraper(server.url.replace("//", "//me:pass@"))
    server.status = 403
    assert failure(scraper) == f"{server.url} answered 403; set bearer"
    assert server.requests[0]["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "; set bearer"), (404, "; set url"), (500, ""), (204, ""), (302, "; redirects")]
)
def test_another_status_is_an_error_that_says_what_to_do(
    status: int, hint: str, server: MetricsServer, open_scraper: Open
) -> None:
    server.status = status
    assert f"answered {status}{hint}" in failure(open_scraper(server.url))


def test_a_refused_token_is_named(server: MetricsServer, monkeypatch: pytest.MonkeyPatch, open_scraper: Open) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "old")
    server.status = 401
    assert failure(open_scraper(server.url, "TOKEN_OF_TEST")).endswith("the token in TOKEN_OF_TEST is not accepted")


def test_a_large_body_is_refused(server: MetricsServer, monkeypatch: pytest.MonkeyPatch, open_scraper: Open) -> None:
    monkeypatch.setattr(scrape, "MAX_BYTES", 2_000_000)
    server.text = "x" * 2_000_001
    assert failure(open_scraper(server.url)) == f"{server.url} answered with more than 2 MB"
    server.text = "pool 1"
    assert open_scraper(server.url).scrape().text == "pool 1"


def test_a_server_that_does_not_answer_times_out(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch, open_scraper: Open
) -> None:
    monkeypatch.setattr(scrape, "TIMEOUT_S", 0.2)
    server.gate.clear()
    assert failure(open_scraper(server.url)) == f"{server.url} cannot be read (timed out)"


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (HEAD + b"X-Long: ", b"x"),
        (b"HTTP/1.1 200 ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunk", "header", "status line", "continue"],
)
def test_a_server_that_drips_times_out(
    first: bytes, then: bytes, monkeypatch: pytest.MonkeyPatch, open_scraper: Open
) -> None:
    monkeypatch.setattr(scrape, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(first)
                while not stopped.wait(0.02):
                    try:
                        connection.sendall(then)
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            assert "timed out" in failure(open_scraper(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        finally:
            stopped.set()
            thread.join(10)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "Remote end closed connection without response"),
        (b"hello\r\n\r\n", "not a complete HTTP response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "not a complete HTTP response"),
    ],
)
def test_an_answer_that_is_no_http_is_an_error(answer: bytes, reason: str, open_scraper: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert f"cannot be read ({reason})" in failure(open_scraper(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join(10)


def test_a_secret_in_a_query_is_not_shown(server: MetricsServer, open_scraper: Open) -> None:
    server.status = 500
    assert failure(open_scraper(f"{server.url}/m?token=secret")) == f"{server.url}/m answered 500"


@pytest.mark.parametrize("path", ["/a b", "/\x00", "/ü"])
def test_a_path_that_http_does_not_allow_is_not_sent(path: str, server: MetricsServer, open_scraper: Open) -> None:
    assert "not a valid URL" in failure(open_scraper(server.url + path))
    assert server.requests == []


def test_a_closed_port_is_an_error(open_scraper: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert (
        failure(open_scraper(f"http://127.0.0.1:{port}/m"))
        == f"http://127.0.0.1:{port}/m cannot be read (Connection refused)"
    )
