"""A user that reads event streams without a Locust run. Prints what it read and what was recorded."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gevent
from gevent.server import StreamServer
from locust.env import Environment

from loadgate.generator.client.sse import event_stream
from loadgate.generator.request_events import finished_request, measured
from loadgate.generator.users import BaseUser
from loadgate.recorder.request import Measure

Result = dict[str, Any]

GAP_S = 0.08
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


class Server:
    """Sends the response for the path of each request, byte by byte as written here."""

    def __init__(self) -> None:
        self.connections = 0
        self.bodies: list[bytes] = []

    def serve(self, sock: Any, address: object) -> None:
        self.connections += 1
        reader = sock.makefile("rb")
        while line := reader.readline():
            length = 0
            while (header := reader.readline().strip()) != b"":
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            self.bodies.append(reader.read(length))
            if not self.answer(sock, line.split()[1].decode()):
                sock.close()
                return

    def answer(self, sock: Any, path: str) -> bool:
        """Return whether the connection stays open."""
        if path == "/json":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            return True
        if path == "/busy":
            head = b"HTTP/1.1 503 Busy\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n"
            sock.sendall(head + b"{}")
            return True
        sock.sendall(HEAD + chunk(b'data: {"n":0}\n\n'))
        if path == "/break":
            gevent.sleep(GAP_S)
            return False
        if path == "/hang":
            gevent.sleep(30)
            return False
        gevent.sleep(GAP_S)
        sock.sendall(chunk(b': ping\n\ndata: {"n":1}\n\nda') + chunk(b'ta: {"n":2}\n\n'))
        gevent.sleep(GAP_S)
        sock.sendall(chunk(b'event: done\ndata: {"n":3}\n\n'))
        gevent.sleep(2 * GAP_S)
        sock.sendall(chunk(b""))
        return True


class Reader(BaseUser):
    """A user without tasks; the scenario calls its methods."""

    group = "reading"


def read(user: BaseUser, result: Result, path: str) -> None:
    began = time.perf_counter()
    with event_stream(user.client, path, name="Read", json={"q": 1}) as stream:
        for event in stream:
            result["events"].append([event.kind, event.json()["n"], event.at_ms])
        result["status"], result["stream_error"] = stream.status_code, stream.error
        stream.success() if stream.status_code == 200 else None
    result["outside_ms"] = (time.perf_counter() - began) * 1000


def twice(user: BaseUser, result: Result) -> None:
    read(user, result, "/good")
    read(user, result, "/good")


def cut_off(user: BaseUser, result: Result) -> None:
    reading = gevent.spawn(read, user, result, "/hang")
    gevent.sleep(3 * GAP_S)
    reading.kill()


def judged(user: BaseUser, result: Result) -> None:
    with event_stream(user.client, "/good", name="Read") as stream:
        if [event.json()["n"] for event in stream] != [0]:
            stream.failure("too many events")


def left_early(user: BaseUser, result: Result) -> None:
    with event_stream(user.client, "/good", name="Read") as stream:
        for event in stream:
            result["events"].append([event.kind, event.json()["n"], event.at_ms])
            break
    read(user, result, "/json")


def broken_task(user: BaseUser, result: Result) -> None:
    try:
        with event_stream(user.client, "/good", name="Read") as stream:
            for event in stream:
                event.json()["missing"]
    except KeyError:
        result["raised"] = True


def measures(user: BaseUser, result: Result) -> None:
    user.measure("First Event", 12.5, "first")
    user.measure("Late", 3, at_s=5.0)
    try:
        user.measure("Never", float("nan"))
    except ValueError:
        result["raised"] = True


SCENARIOS = {
    "twice": twice,
    "cut-off": cut_off,
    "judged": judged,
    "left-early": left_early,
    "broken-task": broken_task,
    "measures": measures,
}


def main() -> None:
    result: Result = {"events": [], "requests": [], "measures": [], "raised": False}

    def on_request(**event: Any) -> None:
        result["requests"].append(finished_request(**event)._asdict() | {"ids": None})

    def on_measure(measure: Measure) -> None:
        result["measures"].append(measure)

    server = Server()
    listener = StreamServer(("127.0.0.1", 0), server.serve)
    listener.start()
    Reader.host = f"http://127.0.0.1:{listener.server_port}"
    environment = Environment(user_classes=[Reader])
    environment.events.request.add_listener(on_request)
    measured.add_listener(on_measure)
    user = Reader(environment)
    scenario = sys.argv[1]
    if scenario in SCENARIOS:
        SCENARIOS[scenario](user, result)
    else:
        read(user, result, scenario)
    gevent.sleep(0)
    result |= {"connections": server.connections, "bodies": [body.decode() for body in server.bodies]}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
