"""A user of loadgate without a Locust run. Runs one scenario and prints what the server and the event received."""

from __future__ import annotations

import gc
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from ssl import SSLContext
from typing import Any

import gevent
import gevent.ssl
from gevent.event import Event
from gevent.pool import Group
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer
from geventhttpclient.client import HTTPClientPool
from locust import FastHttpUser, HttpUser, User, constant, task
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from urllib3 import PoolManager

from loadgate.generator.client.stopwatch import under_way
from loadgate.generator.client.timestamped_socket import TimestampedSocket, last_arrival
from loadgate.generator.client.tracing import request_ids
from loadgate.generator.in_flight import follow_clients
from loadgate.generator.users import BaseUser
from tests.support.servers.certificates import self_signed_certificate

Result = dict[str, Any]


def in_parts() -> Iterator[bytes]:
    yield b"o"
    gevent.sleep(0.2)
    yield b"k"


def application(result: Result) -> Any:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        result["paths"].append(environ["PATH_INFO"] + query)
        result["accepts"].append((environ["REQUEST_METHOD"], environ.get("HTTP_ACCEPT", "")))
        result["cookies"].append(environ.get("HTTP_COOKIE", ""))
        result["traceparents"].append(environ.get("HTTP_TRACEPARENT", ""))
        if environ["PATH_INFO"] == "/redirect":
            gevent.sleep(0.05)
            start_response("302 Found", [("Location", "/there"), ("Content-Length", "0")])
            return []
        if environ["PATH_INFO"] == "/in-parts":
            start_response("200 OK", [("Content-Length", "2")])
            return in_parts()
        gevent.sleep({"/there": 0.05, "/slow": 0.4}.get(environ["PATH_INFO"], 0))
        names = [("X-Request-ID", f"request-{len(result['paths'])}")]
        start_response("200 OK", [("Set-Cookie", "session=1"), ("Content-Length", "2"), *names])
        return [b"ok"]

    return answer


class Caller(BaseUser):
    """A user without tasks; the scenario calls its methods."""

    network_timeout = 2


def slow_client(user: BaseUser, result: Result) -> None:
    urlopen = user.client.client.urlopen

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.3)
        answer = urlopen(*arguments, **options)
        time.sleep(0.3)
        return answer

    user.client.client.urlopen = slow
    began = time.perf_counter()
    user.client.get("/plain")
    result["outside_ms"] = (time.perf_counter() - began) * 1000


def concurrent(user: BaseUser, _: Result) -> None:
    gevent.joinall([gevent.spawn(user.client.get, path) for path in ("/slow", "/plain")])


def with_tls(result: Result) -> None:
    """Let five users with and five without verification request a page. Count the contexts that they make."""
    made: list[SSLContext] = []
    for name in ("create_default_context", "_create_unverified_context"):
        make = getattr(gevent.ssl, name)
        setattr(gevent.ssl, name, lambda *names, make=make, **options: made.append(make(*names, **options)) or made[-1])
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = self_signed_certificate(Path(folder))
        server = WSGIServer(("127.0.0.1", 0), application(result), log=None, certfile=certificate, keyfile=key)
        server.start()
        for insecure in (True, False):
            kind = type(
                "TlsCaller", (Caller,), {"insecure": insecure, "host": f"https://127.0.0.1:{server.server_port}"}
            )
            for _ in range(5):
                kind(environment_of(result)).client.get("/plain")
        server.stop()
    result["contexts"] = len(made)


def be_busy(for_s: float) -> None:
    """Busy-wait, because a sleep would yield."""
    until = time.perf_counter() + for_s
    while time.perf_counter() < until:
        pass


def serve_raw(answer: Callable[[socket.socket], None]) -> StreamServer:
    """A server that reads complete requests and sends the given response, repeatedly on one connection."""

    def serve(connection: socket.socket, _: object) -> None:
        while connection.recv(10_000):
            answer(connection)

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    return server


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


BODIES = {"/list": b'[{"id": 7}]', "/page": b"<h1>hello</h1>", "/nothing": b"", "/number": b"12", "/cut": b'{"a": '}


def expectations(user: BaseUser, result: Result) -> None:
    """Request each body with each expectation. Print a line with each result."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = BODIES[environ["PATH_INFO"]]
        start_response("200 OK" if body else "204 No Content", [("Content-Length", str(len(body)))] if body else [])
        return [body]

    server = WSGIServer(("127.0.0.1", 0), answer, log=None)
    server.start()
    for path in BODIES:
        for content in (None, {}, {"0.id": ">= 7"}):
            before = len(result["errors"])
            with user.client.get(f"http://127.0.0.1:{server.server_port}{path}") as response:
                document = response.expect({200, 204}, content)
            failed = len(result["errors"]) > before
            result["bodies"].append([path, None if content is None else len(content), document, failed])
    server.stop()


def early_hints(user: BaseUser, result: Result) -> None:
    def answer(connection: socket.socket) -> None:
        result["paths"].append(connection.fileno())
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        gevent.sleep(0.2)
        connection.sendall(OK[:-1])
        gevent.sleep(0.2)
        connection.sendall(OK[-1:])

    server = serve_raw(answer)
    for _ in range(2):
        result["bodies"].append(user.client.get(f"http://127.0.0.1:{server.server_port}/").text)
    server.stop()


def stale(user: BaseUser, result: Result, after: Callable[[socket.socket], None]) -> None:
    """Asks three times, where an idle connection goes stale each time."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(OK)
        after(connection)

    server = serve_raw(answer)
    for _ in range(3):
        result["bodies"].append(user.client.get(f"http://127.0.0.1:{server.server_port}/").text)
        gevent.sleep(0.05)
    server.stop()


def close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def send_more(connection: socket.socket) -> None:
    gevent.sleep(0.02)
    connection.sendall(OK)


def unanswered(user: BaseUser, _: Result) -> None:
    server = serve_raw(lambda _: gevent.sleep(5))
    user.client.get(f"http://127.0.0.1:{server.server_port}/")
    server.stop()


def together(user: BaseUser, _: Result) -> None:
    waiting: list[socket.socket] = []

    def serve(connection: socket.socket, _: object) -> None:
        connection.recv(10_000)
        waiting.append(connection)
        if len(waiting) == 2:
            for each in waiting:
                each.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        over.wait()

    def call() -> None:
        user.client.get(f"http://127.0.0.1:{server.server_port}/")
        be_busy(0.3)

    over = Event()
    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    gevent.joinall([gevent.spawn(call) for _ in range(2)])
    over.set()
    server.stop()


def arrived_before_it_was_read(result: Result) -> None:
    """Lets answers wait for 0.2 s; `read_ms` is when the earliest counts as arrived, from the moment of reading it.

    Several, for the kernel begins to stamp a little after it was told to.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = TimestampedSocket()
        connection.connect(server.getsockname())
        theirs, _ = server.accept()
        waits_ms = []
        for _ in range(3):
            theirs.sendall(b"x")
            gevent.sleep(0.2)
            asked = time.perf_counter()
            connection.recv(10)
            waits_ms.append((last_arrival(connection) - asked) * 1000)
        result["read_ms"] = min(waits_ms)
        connection.close()
        theirs.close()


def clock_is_set(result: Result, by_s: int) -> None:
    wall_clock_ns = time.time_ns
    time.time_ns = lambda: wall_clock_ns() + by_s * 1_000_000_000
    arrived_before_it_was_read(result)


def cookies(user: BaseUser, _: Result) -> None:
    for _ in range(3):
        user.client.get("/plain")


def parameters(user: BaseUser, _: Result) -> None:
    user.client.get("/plain")
    user.client.get("/plain", params={"page": 2})
    user.client.get("/plain?page=3")
    user.client.get("/plain")


def headers(user: BaseUser, _: Result) -> None:
    for accept in ("text/a", "text/b", "text/a"):
        user.client.get("/plain", headers={"Accept": accept})
    user.client.post("/plain", data="x", headers={"Accept": "text/a"})
    user.client.post("/plain", headers={"Accept": "text/a"})
    user.client.client.default_headers["Accept"] = "text/c"
    user.client.get("/plain")


def traces(user: BaseUser, _: Result) -> None:
    user.client.get("/plain")
    user.client.get("/plain")
    user.client.post("/plain", json={"a": 1})
    user.client.get("/redirect")
    with user.client.get("/plain") as response:
        response.failure("wrong")
    gevent.joinall([gevent.spawn(user.client.get, path) for path in ("/slow", "/slow")])


def own_traces(user: BaseUser, _: Result) -> None:
    for header in ("traceparent", "Traceparent", "traceparent"):
        user.client.get("/plain", headers={header: OWN_TRACE})
    user.client.post("/plain", data="x", headers={"TRACEPARENT": OWN_TRACE})


def waiting_listener(user: BaseUser, result: Result) -> None:
    def wait(**_: Any) -> None:
        gevent.sleep(0.01)
        result["waited"] += 1

    user.environment.events.request.add_listener(wait)
    user.client.get("/plain")


def nested(user: BaseUser, result: Result) -> None:
    """Locust's client fires its event during the request, and a listener may send another request."""
    follow_clients()
    client = FastHttpSession(user.host, user.environment.events.request, user)

    def ask_again(**_: Any) -> None:
        if len(result["paths"]) < 3:
            client.get("/plain")

    user.environment.events.request.add_listener(ask_again)
    client.get("/plain")
    result["open"] = len(under_way())


class Pausing(FastHttpUser):
    """A plain Locust user that sends a request, pauses, and sends another."""

    wait_time = constant(0.1)

    @task
    def ask(self) -> None:
        self.client.get("/plain")


def stopped_in_pause(user: BaseUser, result: Result) -> None:
    """Stop a user in the same iteration of the event loop in which its pause ends."""
    follow_clients()
    Pausing.host = user.host
    pausing = Pausing(user.environment)
    greenlets = Group()
    pausing.start(greenlets)
    while not result["latencies_ms"]:
        gevent.sleep(0.01)
    gevent.spawn_later(0.01, be_busy, 0.3)
    gevent.sleep(0.05)
    pausing.stop()
    greenlets.join(timeout=5)
    result["open"] = len(greenlets)


def one_after_the_other(user: BaseUser, result: Result, *kinds: tuple[type[User], dict[str, Any]]) -> None:
    """Start and stop two users of each kind, one after the other, without a garbage collection."""

    def serve(connection: socket.socket, _: object) -> None:
        result["opened"] += 1
        while connection.recv(10_000):
            connection.sendall(OK)
        result["closed"] += 1

    def ask(asking: Any) -> None:
        asking.client.get("/")
        asked.set()

    follow_clients()
    gc.disable()
    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    common = {"host": f"http://127.0.0.1:{server.server_port}", "tasks": [ask], "wait_time": constant(60)}
    for kind, attributes in kinds:
        leaving_class = type("Leaving", (kind,), common | attributes)
        for _ in range(2):
            asked, greenlets = Event(), Group()
            leaver = leaving_class(user.environment)
            leaver.start(greenlets)
            asked.wait(10)
            leaver.stop()
            greenlets.join(10)
    server.stop()


def leaving(user: BaseUser, result: Result) -> None:
    one_after_the_other(user, result, (BaseUser, {}), (FastHttpUser, {}), (HttpUser, {}))
    until = time.monotonic() + 10
    while result["closed"] < result["opened"] and time.monotonic() < until:
        gevent.sleep(0.01)


OWN_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

SCENARIOS = {
    "traces": traces,
    "own-traces": own_traces,
    "slow-client": slow_client,
    "redirect": lambda user, _: user.client.get("/redirect"),
    "refused": lambda user, _: user.client.get("http://127.0.0.1:1/"),
    "concurrent": concurrent,
    "together": together,
    "early-hints": early_hints,
    "closed-by-server": lambda user, result: stale(user, result, close),
    "unasked-for": lambda user, result: stale(user, result, send_more),
    "unanswered": unanswered,
    "in-parts": lambda user, _: user.client.get("/in-parts"),
    "arrived-before": lambda _, result: arrived_before_it_was_read(result),
    "clock-set-on": lambda _, result: clock_is_set(result, 3600),
    "clock-set-back": lambda _, result: clock_is_set(result, -3600),
    "cookies": cookies,
    "parameters": parameters,
    "headers": headers,
    "waiting-listener": waiting_listener,
    "nested": nested,
    "expectations": expectations,
    "tls": lambda _, result: with_tls(result),
    "stopped-in-pause": stopped_in_pause,
    "leaving": leaving,
    "sharing": lambda user, result: one_after_the_other(
        user,
        result,
        (BaseUser, {"client_pool": HTTPClientPool(concurrency=1)}),
        (FastHttpUser, {"client_pool": HTTPClientPool(concurrency=1)}),
        (HttpUser, {"pool_manager": PoolManager()}),
    ),
}


def main() -> None:
    lists = ("latencies_ms", "errors", "paths", "cookies", "accepts", "traceparents", "ids", "bodies")
    result: Result = {name: [] for name in lists} | {"waited": 0, "opened": 0, "closed": 0}

    environment = environment_of(result)
    server = WSGIServer(("127.0.0.1", 0), application(result), log=None)
    server.start()
    Caller.host = f"http://127.0.0.1:{server.server_port}"
    SCENARIOS[sys.argv[1]](Caller(environment), result)
    gevent.sleep(0.1)
    server.stop()
    print(json.dumps(result))


def environment_of(result: Result) -> Environment:
    """Return an environment whose requests are added to the result."""

    def on_request(response_time: float, exception: BaseException | None, **event: Any) -> None:
        result["latencies_ms"].append(response_time)
        result["ids"].append(request_ids(event["context"], event["response"]))
        if exception is not None:
            result["errors"].append(type(exception).__name__)

    environment = Environment(user_classes=[Caller])
    environment.events.request.add_listener(on_request)
    return environment


if __name__ == "__main__":
    main()
