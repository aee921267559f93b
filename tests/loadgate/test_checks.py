"""Checks say in one line what is wrong with what they looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from loadgate.checks import HttpCheck, TcpCheck, diagnose, host_problem, json_problem, reachable, run_checks
from loadgate.credentials import without_credentials
from tests.loadgate.stub_server import StubServer, stub_server


@pytest.fixture(scope="module")
def stub() -> Iterator[StubServer]:
    with stub_server() as server:
        yield server


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({"status": "ok", "workers": ">= 1", "nested.list.0": "*"}, None),
        ({"workers": [1, 2]}, None),
        ({"workers": ">= 3"}, "has workers = 2, expected >= 3"),
        ({"status": ">= 3"}, 'has status = "ok", expected >= 3'),
        ({"flag": "> 0"}, "has flag = true, expected > 0"),
        ({"missing.key": "*"}, "has no 'missing.key' in its response"),
        ({"nested.list.5": "*"}, "has no 'nested.list.5' in its response"),
        ({"nested": {"list": []}}, 'has nested = {"list": ["x"]}, expected {"list": []}'),
    ],
)
def test_expectations(expect: dict[str, Any], problem: str | None) -> None:
    document = {"status": "ok", "workers": 2, "flag": True, "nested": {"list": ["x"]}}
    assert json_problem(document, expect) == problem


def test_http_checks(stub: StubServer) -> None:
    assert HttpCheck("API", "/x", expect={"status": "ok"}).run(stub.url).ok
    assert HttpCheck("API", f"{stub.url}/x").run("http://127.0.0.1:1").ok
    wrong = HttpCheck("API", "/x", status=204, start="start it").run(stub.url)
    assert wrong.line() == f"API: {stub.url}/x returned 200, expected 204; start it with: start it"


def test_an_unreachable_host_is_the_only_result(stub: StubServer) -> None:
    checks = [HttpCheck("API", "/x", start="start it"), TcpCheck("queue", "127.0.0.1:1")]
    assert [result.ok for result in run_checks(checks, stub.url)] == [True, True, False]
    (only,) = run_checks(checks, "http://127.0.0.1:1")
    assert only.line() == "target: http://127.0.0.1:1 is not reachable (Connection refused); start it with: start it"


@pytest.mark.parametrize("host", ["localhost:8000", "ftp://x", "http://", "http://x:port"])
def test_invalid_hosts_are_refused(host: str) -> None:
    result = reachable(host)
    assert not result.ok
    assert repr(host) in result.detail


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("localhost:8000", "did you mean http://localhost:8000?"),
        ("127.0.0.1", "did you mean http://127.0.0.1?"),
        ("[::1]:8000/api", "did you mean http://[::1]:8000/api?"),
        ("localhost:port", "is not an http:// or https:// address"),
        ("ftp://x", "is not an http:// or https:// address"),
        ("http://x:99999", "has no valid address or port"),
        ("http://[::1", "has no valid address or port"),
        ("http://x:0", "has no valid port"),
        (" ", "is not an http:// or https:// address"),
    ],
)
def test_a_host_that_is_not_a_url_gets_a_suggestion(host: str, says: str) -> None:
    problem = host_problem(host)
    assert problem is not None
    assert repr(host) in problem
    assert says in problem
    assert ("did you mean" in problem) == ("did you mean" in says)
    assert "start it with" not in run_checks([HttpCheck("API", "/x", start="start it")], host)[0].line()


@pytest.mark.parametrize("host", ["http://localhost", "https://[::1]:8443/base", "HTTP://x:1"])
def test_base_urls_have_no_problem(host: str) -> None:
    assert host_problem(host) is None


def test_a_check_is_skipped_if_a_required_check_fails(stub: StubServer) -> None:
    checks = [
        HttpCheck("API", "/", expect={"nowhere": "*"}, start="start the API"),
        HttpCheck("worker", "/", start="start a worker", needs=("API",)),
        HttpCheck("queue", "/", start="start a queue", needs=("worker",)),
    ]
    for results in (run_checks(checks, stub.url)[1:], diagnose(checks, stub.url)):
        assert [result.known for result in results] == [True, False, False]
        assert not any(result.ok for result in results)
        assert results[1].line() == "worker: cannot be checked, because the check API failed"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://ann:s3cret@host:80/x", "http://host:80/x"),
        ("--host=https://ann@host", "--host=https://host"),
        ("for url: http://a:p@ss@[::1]/ and redis://:pw@r/0", "for url: http://[::1]/ and redis://r/0"),
        ("http://host/@ann?mail=x@y", "http://host/@ann?mail=x@y"),
        ('{"url":"http://host","mail":"x@y"}', '{"url":"http://host","mail":"x@y"}'),
        ("ann@host", "ann@host"),
    ],
)
def test_credentials_in_urls_are_redacted(text: str, left: str) -> None:
    assert without_credentials(text) == left


def test_a_check_sends_a_password_and_does_not_print_it(stub: StubServer) -> None:
    result = HttpCheck("API", "/x", status=418).run(stub.url.replace("://", "://ann:s3cret@"))
    assert result.line() == f"API: {stub.url}/x returned 200, expected 418"
    assert "Basic YW5uOnMzY3JldA==" in stub.authorizations
