"""Gives Locust's client and the gate's the same answers, usual and odd; prints what each made of them.

A process of its own: Locust patches the standard library.
"""

from __future__ import annotations

import json
import random
import sys
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

import gevent
from gevent.server import StreamServer
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook

from loadgate.generator.users import GateSession

GZIPPED = zlib.compress(b'{"packed": true}', wbits=31)


def answer(*fields: bytes, body: bytes = b"hello", status: bytes = b"200 OK", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([version + b" " + status, *fields, b"", body])


LENGTH = b"Content-Length: 5"
JSON = b"Content-Type: application/json"
USUAL = [
    answer(LENGTH),
    answer(b"content-length:5", b"X-Empty:", b"X-Twice: a", b"x-twice: b"),
    answer(LENGTH, b"Connection: keep-alive", b"Keep-Alive: timeout=5"),
    answer(LENGTH, b"Connection: close"),
    answer(b"Content-Length: 14", JSON, body=b'{"a": [1, 22]}'),
    answer(b"Content-Length: 0", body=b"", status=b"201 Created"),
    answer(LENGTH, b"Location: /there", status=b"202 Accepted"),
    answer(body=b"", status=b"204 No Content"),
    answer(LENGTH, status=b"404 Not Found"),
    answer(LENGTH, status=b"500 Internal Server Error"),
    answer(LENGTH, b"Content-Type: text/plain; charset=latin-1", body=b"h\xe9llo"),
    answer(LENGTH, b"Set-Cookie: a=b"),
    answer(b"Content-Length: %d" % len(GZIPPED), b"Content-Encoding: gzip", JSON, body=GZIPPED),
    answer(LENGTH, b"Content-Encoding: gzip"),
    answer(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    answer(b"Content-Length: 20000", body=b"x" * 20000),
]
ODD = [
    answer(),
    answer(LENGTH, LENGTH),
    answer(LENGTH, b"Content-Length: 6"),
    answer(LENGTH, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    answer(b"Content-Length: 4"),
    answer(b"Content-Length: 6"),
    answer(b"Content-Length: +5"),
    answer(b"Content-Length: "),
    answer(b"Content-Length : 5"),
    answer(b"Content-Length: 99999999999999999999"),
    answer(LENGTH, b" folded"),
    answer(LENGTH, b"no colon"),
    answer(LENGTH, b"X-Control: a\x01b"),
    answer(LENGTH, b"X-Return: a\rb"),
    answer(LENGTH, b"X-Feed: a\nb: c"),
    answer(LENGTH, b"X-Blanks: \t a \t "),
    answer(LENGTH, b"X-Latin: \xe4"),
    answer(LENGTH, b"Upgrade: h2c", b"Connection: upgrade"),
    answer(LENGTH, version=b"HTTP/1.0"),
    answer(LENGTH, version=b"HTTP/2"),
    answer(LENGTH, version=b"ICY"),
    answer(LENGTH, status=b"200"),
    answer(LENGTH, status=b"200OK"),
    answer(LENGTH, status=b"2000 OK"),
    answer(LENGTH, status=b"205 Reset Content"),
    answer(LENGTH, status=b"999 What"),
    answer(LENGTH).replace(b"\r\n", b"\n"),
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(LENGTH),
    answer(LENGTH) + answer(LENGTH),
    b"hello",
    b"",
]


def mutated(count: int) -> Iterator[bytes]:
    """Return normal responses that are cut off or have a byte changed, added or removed.

    They are the same each time.
    """
    chance = random.Random(7)
    for _ in range(count):
        data = bytearray(chance.choice(USUAL[:14]))
        at = chance.randrange(len(data))
        new = chance.choice((b"\r", b"\n", b" ", b":", b"\0", b"\xff", b"0", b"9", b"a", b",", b"\t"))
        data[at : at + chance.choice((0, 1, 1))] = chance.choice((b"", new, new))
        yield bytes(data[:at] if chance.random() < 0.1 else data)


def text_of(response: Any) -> str:
    try:
        return str(response.text)
    except (OSError, LookupError, ValueError, zlib.error, HTTPException) as error:
        return repr(error)


def outcome(session: FastHttpSession, events: list[dict[str, Any]], method: str) -> list[Any]:
    """The result of a request, for its user and for the listeners."""
    made: list[Any] = []
    try:
        with session.request(method, "/", catch_response=True, data="x" if method == "POST" else None) as response:
            made += [response.status_code, text_of(response), list((response.headers or {}).items())]
        # An equal request, over the same connection if it is still open.
        again = session.request(method, "/", catch_response=False, allow_redirects=False)
        made += [again.status_code, text_of(again), again.url == session._build_url("/")]
    except ValueError as error:  # Locust's own for an unknown encoding
        made += [0, repr(error)]
    for event in events:
        made.append([event["response_length"], repr(event["exception"])])
    events.clear()
    return made


def main() -> None:
    current, taken = b"", 0

    def serve(connection: gevent.socket.socket, _: object) -> None:
        nonlocal taken
        taken += 1
        is_whole = current in USUAL
        try:
            while connection.recv(10_000):
                connection.sendall(current)
                if not is_whole:
                    break
        except OSError:
            return

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    events: list[dict[str, Any]] = []
    hook = EventHook()
    hook.add_listener(lambda **event: events.append(event))
    cases = [(data, method) for data in USUAL + ODD for method in ("GET", "POST", "HEAD")]
    cases += [(data, "GET") for data in mutated(int(sys.argv[1]))]
    seen = []
    for data, method in cases:
        current = data
        both = []
        for session_class in (FastHttpSession, GateSession):
            taken = 0
            session = session_class(f"http://127.0.0.1:{server.server_port}", hook, None, network_timeout=5.0)
            both.append([*outcome(session, events, method), taken])
            session.client.close()
        seen.append({"answer": repr(data[:200]), "method": method, "locust": both[0], "gate": both[1]})
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
