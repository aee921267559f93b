"""Request metrics over HTTP, with a connection that is kept alive."""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import time
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from loadgate.credentials import basic_authorization, without_credentials

TIMEOUT_S = 5.0
MAX_BYTES = 5_000_000

_READ_BYTES = 65_536
_TOKEN = re.compile(r"[!-~]+")


class ScrapeError(Exception):
    """Raised if a scrape fails. The message is one line without a full stop."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """The text of the metrics. `at_s` is the middle of the request, in epoch seconds."""

    at_s: float
    text: str


class Scraper:
    """Requests one URL, once at a time. Redirects and proxies are not followed.

    A response takes at most TIMEOUT_S from its first byte to its last one, and a body has at most MAX_BYTES.
    """

    def __init__(self, url: str, bearer: str | None = None) -> None:
        parts = urlsplit(url)
        self.url = without_credentials(url).partition("?")[0]
        """The URL for messages. A query can contain a secret."""
        self._target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        # The version of the text format that every server knows. Without compression, the target has less work.
        self._headers = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"}
        self._bearer = bearer
        if authorization := basic_authorization(url):
            self._headers["Authorization"] = authorization

    def scrape(self) -> Scrape:
        """Request the URL. Raises ScrapeError."""
        self._authorize()
        start_s = time.time()
        try:
            body = self._get()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise ScrapeError(f"{self.url} cannot be read ({_reason(error)})") from error
        except ScrapeError:
            self._connection.close()
            raise
        return Scrape((start_s + time.time()) / 2, body.decode("utf-8", "replace"))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _authorize(self) -> None:
        if self._bearer is None:
            return
        token = os.environ.get(self._bearer, "").strip()
        if not _TOKEN.fullmatch(token):
            how = "contains characters that no token has" if token else "is not set"
            raise ScrapeError(f"{self.url} is not read, because the environment variable {self._bearer} {how}")
        self._headers["Authorization"] = f"Bearer {token}"

    def _get(self) -> bytes:
        response = self._response()
        if response.status != http.client.OK:
            raise ScrapeError(f"{self.url} answered {response.status}{self._hint(response.status)}")
        body = bytearray()
        while piece := response.read1(_READ_BYTES):
            body += piece
            if len(body) > MAX_BYTES:
                raise ScrapeError(f"{self.url} answered with more than {MAX_BYTES // 1_000_000} MB")
        if response.length:
            raise http.client.IncompleteRead(bytes(body), response.length)
        response.close()  # the connection remains open
        return bytes(body)

    def _response(self) -> http.client.HTTPResponse:
        """Send the request. If the server has closed the idle connection, send it again on a new one."""
        self._connection.response_class = partial(_Response, time.monotonic() + TIMEOUT_S)  # type: ignore[assignment]
        is_reused = self._connection.sock is not None
        if is_reused:
            self._connection.sock.settimeout(TIMEOUT_S)  # the last response has shortened it
        try:
            self._connection.request("GET", self._target, headers=self._headers)
            return self._connection.getresponse()
        except (ConnectionError, http.client.BadStatusLine):
            self._connection.close()
            if not is_reused:
                raise
        self._connection.request("GET", self._target, headers=self._headers)
        return self._connection.getresponse()

    def _hint(self, status: int) -> str:
        if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
            return "; set bearer" if self._bearer is None else f"; the token in {self._bearer} is not accepted"
        if http.client.MULTIPLE_CHOICES <= status < http.client.BAD_REQUEST:
            return "; redirects are not followed"
        return "; set url" if status == http.client.NOT_FOUND else ""


class _Response(http.client.HTTPResponse):
    """A response that is read until a deadline. The timeout of a socket limits only each single part of it."""

    def __init__(self, deadline_s: float, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_UntilDeadline(self.fp.detach(), sock, deadline_s))


class _UntilDeadline(io.RawIOBase):
    """Reads from a socket until a deadline, in seconds of the monotonic clock."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline_s: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline_s = deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, http.client.InvalidURL | UnicodeError):
        return "not a valid URL"
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return "not a complete HTTP response"
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
