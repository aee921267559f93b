"""Check the services that a load test needs. A failed check prints the command that starts the service."""

from __future__ import annotations

import http.client
import json
import operator
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from loadgate.credentials import basic_authorization, without_credentials
from loadgate.environment import quoted

TIMEOUT_S = 5.0
"""Timeout of one check."""

LONGEST_NAME = 253
"""Characters of a host name, see RFC 1035."""

_COMPARISON = re.compile(r"^\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*$")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. `detail` is one line without a full stop."""

    name: str
    ok: bool
    detail: str
    start: str = ""
    known: bool = True
    """False if the check did not run because another check failed."""

    def line(self) -> str:
        """Return the result as one line for the user."""
        hint = f"; start it with: {self.start}" if self.start and self.known and not self.ok else ""
        return without_credentials(f"{self.name}: {self.detail}{hint}")


class Check(Protocol):
    """A condition that must hold before a host is put under load."""

    @property
    def name(self) -> str:
        """Return the name of the checked service. Other checks refer to it in `needs`."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the names of checks that must pass before this one is meaningful."""
        ...

    def run(self, host: str) -> CheckResult:
        """Run the check against `host`, a base URL. A failure is a result, not an exception."""
        ...


@dataclass(frozen=True)
class TcpCheck:
    """Check that a TCP server listens at `address` (`name:port`)."""

    name: str
    address: str
    start: str = ""
    needs: tuple[str, ...] = ()

    def run(self, host: str) -> CheckResult:  # noqa: ARG002 - the check has its own address
        """Open and close one connection."""
        return _tcp(self.name, self.address, self.start)


@dataclass(frozen=True)
class HttpCheck:
    """Check that GET `path` returns `status` and a JSON document with the values in `expect`.

    `path` is appended to the host under test unless it is a complete URL. The keys of `expect` are dotted paths into
    the JSON document (`components.redis.status`). A value must be equal. A list contains the permitted values, a string
    such as `">= 1"` compares a number, and `"*"` only requires that the key exists.
    """

    name: str
    path: str
    status: int = 200
    expect: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    timeout_s: float = TIMEOUT_S
    needs: tuple[str, ...] = ()

    def run(self, host: str) -> CheckResult:
        """Send one request."""
        url = self.path if "://" in self.path else host.rstrip("/") + self.path
        try:
            status, body = _get(url, self.timeout_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return self._result(f"{url} does not respond ({_reason(error)})")
        if status != self.status:
            return self._result(f"{url} returned {status}, expected {self.status}")
        problem = _body_problem(body, self.expect) if self.expect else None
        return self._result(f"{url} {problem}") if problem else self._result(f"{url} returned {status}", ok=True)

    def _result(self, detail: str, *, ok: bool = False) -> CheckResult:
        return CheckResult(self.name, ok, detail, self.start)


def host_problem(host: str) -> str | None:
    """Return one line that says why `host` is not a base URL, with a suggestion. `None` if it is one."""
    try:
        parts = urlsplit(host)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return f"the host {quoted(host)} has no valid address or port"
    if parts.scheme in {"http", "https"} and parts.hostname:
        return None if port_is_valid else f"the host {quoted(host)} has no valid port"
    meant = f"http://{host}"
    # Suggest a URL only if the text is a host with or without a port.
    hint = (
        f"; did you mean {meant}?"
        if len(host) <= LONGEST_NAME and "://" not in host and not re.search(r"\s", host) and not host_problem(meant)
        else ""
    )
    return f"the host {quoted(host)} is not an http:// or https:// address{hint}"


def is_http(host: str) -> bool:
    """Return whether a host is an HTTP URL. Locust also accepts other URLs, such as `ws://…`."""
    return host.partition("://")[0].lower() in {"http", "https"}


def reachable(host: str, start: str = "") -> CheckResult:
    """Check whether a server listens at the base URL `host`."""
    if problem := host_problem(host):
        return CheckResult("target", ok=False, detail=problem)
    parts = urlsplit(host)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return _tcp("target", f"{parts.hostname}:{port}", start, shown=host)


def run_checks(checks: Iterable[Check], host: str) -> list[CheckResult]:
    """Run the checks before a run. If no server listens at `host`, the only result is that of the failed connection."""
    first = reachable(host)
    if host_problem(host):
        return [first]
    if not first.ok:
        starts = [getattr(check, "start", "") for check in checks]
        return [CheckResult(first.name, ok=False, detail=first.detail, start=next(filter(None, starts), ""))]
    return [first, *_in_order(checks, host)]


def run_without_host(checks: Iterable[Check]) -> list[CheckResult]:
    """Run checks that need no host."""
    return list(_in_order(checks, ""))


def uses_host(check: Check) -> bool:
    """Return whether a check sends a request to the host under test."""
    return isinstance(check, HttpCheck) and "://" not in check.path


def diagnose(checks: Iterable[Check], host: str) -> list[CheckResult]:
    """Run all checks, also after a failure, so that every missing service is reported at once.

    If the host is not reachable, only one check reports it. The results of the other checks that use the host are
    unknown.
    """
    host_is_up = reachable(host)
    if host_is_up.ok:
        return list(_in_order(checks, host)) or [host_is_up]
    results: list[CheckResult] = []
    for check in checks:
        if not uses_host(check):
            results.append(check.run(host))
        elif host_is_up.detail not in {result.detail for result in results}:
            start = getattr(check, "start", "")
            results.append(CheckResult(check.name, ok=False, detail=host_is_up.detail, start=start))
        else:
            detail = f"cannot be checked while {host} is not reachable"
            results.append(CheckResult(check.name, ok=False, detail=detail, known=False))
    return results or [host_is_up]


def _in_order(checks: Iterable[Check], host: str) -> Iterator[CheckResult]:
    missing: set[str] = set()
    for check in checks:
        need = next((name for name in check.needs if name in missing), None)
        if need is None:
            result = check.run(host)
        else:
            detail = f"cannot be checked, because the check {need} failed"
            result = CheckResult(check.name, ok=False, detail=detail, known=False)
        if not result.ok:
            missing.add(check.name)
        yield result


def _tcp(name: str, address: str, start: str, shown: str = "") -> CheckResult:
    server, _, port = address.rpartition(":")
    try:
        with socket.create_connection((server.strip("[]"), int(port)), timeout=TIMEOUT_S):
            return CheckResult(name, ok=True, detail=f"{shown or address} is listening", start=start)
    except (OSError, ValueError) as error:
        return CheckResult(
            name, ok=False, detail=f"{shown or address} is not reachable ({_reason(error)})", start=start
        )


def _get(url: str, timeout_s: float) -> tuple[int, bytes]:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError("not an http:// or https:// address")
    request = urllib.request.Request(without_credentials(url))  # noqa: S310 - scheme checked above
    request.add_header("Accept", "application/json")
    if authorization := basic_authorization(url):
        request.add_unredirected_header("Authorization", authorization)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def _reason(error: BaseException) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def json_problem(document: Any, expect: Mapping[str, Any]) -> str | None:
    """Return the first problem, in a form such as `has no 'id' in its response`. `None` if all expectations hold."""
    for path, expected in expect.items():
        found, value = _look_up(document, path)
        if not found:
            return f"has no {path!r} in its response"
        if not _meets(value, expected):
            wanted = expected if isinstance(expected, str) else json.dumps(expected)
            return f"has {path} = {json.dumps(value)}, expected {wanted}"
    return None


def _body_problem(body: bytes, expect: Mapping[str, Any]) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return "did not return JSON; check that this is the service under test"
    return json_problem(document, expect)


def _look_up(document: Any, path: str) -> tuple[bool, Any]:
    value = document
    for key in path.split("."):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return False, None
    return True, value


def _meets(value: Any, expected: Any) -> bool:
    if expected == "*":
        return True
    comparison = _COMPARISON.match(expected) if isinstance(expected, str) else None
    if comparison:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and _OPERATORS[comparison[1]](value, float(comparison[2]))
    if isinstance(expected, list):
        return value in expected
    return bool(value == expected)
