"""Bytes sent to a server as they are, and what it says to them."""

from __future__ import annotations

import socket

from inference_core.app.stack.ports import LOOPBACK

# One more than is taken.
TOO_MANY_HEADERS = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 100 + b"\r\n"


def said_to(port: int, data: bytes, *, within_s: float = 15.0) -> bytes:
    """What a server says to `data` until it closes the connection."""
    said = b""
    with socket.create_connection((LOOPBACK, port), timeout=within_s) as connection:
        connection.sendall(data)
        while more := connection.recv(1 << 16):
            said += more
    return said


def head_limits_hold(port: int) -> bool:
    """Whether a server that was just started refuses a head of too many headers."""
    return said_to(port, TOO_MANY_HEADERS).startswith(b"HTTP/1.1 431 ")
