"""The HTTP client of a BaseUser: Locust's, timed on its connections, traced, and without work that shows no result.

Leaving that work out makes up for the time that keeping the record takes.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import Request

from geventhttpclient.client import HTTPClient
from geventhttpclient.header import Headers
from geventhttpclient.url import URL, ParamsDataType
from locust.contrib.fasthttp import FastRequest, FastResponse, LocustUserAgent

from loadgate.generator.client.stopwatch import running, stamp_connections
from loadgate.generator.client.tracing import new_traceparent, own_traceparent, with_traceparent

MAX_HEADS = 16
"""Request heads that are remembered for each user and host."""


class KnownUrl(URL):
    """A URL whose parts are parsed once; those of a suite come again and again."""

    # mypy does not see that these are properties.
    host = cached_property(URL.host.fget)  # type: ignore[attr-defined]
    port = cached_property(URL.port.fget)  # type: ignore[attr-defined]
    request_uri = cached_property(URL.request_uri.fget)  # type: ignore[attr-defined]
    quoted_uri = cached_property(URL.quoted_uri.fget)  # type: ignore[attr-defined]


known_url = lru_cache(maxsize=1024)(KnownUrl)


class KnownUrlRequest(FastRequest):
    """Locust's request, which does not parse a URL that it knows."""

    def set_url(self, url: str | URL, params: ParamsDataType | None = None) -> None:
        """Set the URL and what the base class keeps of its parts."""
        if isinstance(url, URL) or params is not None:
            super().set_url(url, params)
            return
        self.url, self.url_split = url, known_url(url)
        self.type, self.host = self.url_split.scheme, self.url_split.netloc
        self.selector = self.url_split.request_uri or "/"


class RestingCookieJar(CookieJar):
    """A cookie jar that does nothing where there is no cookie."""

    def add_cookie_header(self, request: Request) -> None:
        """Add the cookies that belong to the request."""
        if self._cookies:  # type: ignore[attr-defined]  # the one place where they are
            super().add_cookie_header(request)

    def extract_cookies(self, response: Any, request: Request) -> None:
        """Keep the cookies that the answer sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response, request)


class TimedUserAgent(LocustUserAgent):
    """Locust's user agent on connections that stamp the stopwatch of their request."""

    request_type = KnownUrlRequest

    @classmethod
    def take_over(cls, agent: LocustUserAgent) -> None:
        """Turn Locust's user agent into this one."""
        agent.__class__ = cls
        if type(agent.cookiejar) is CookieJar:
            agent.cookiejar.__class__ = RestingCookieJar

    def _urlopen(self, request: FastRequest) -> FastResponse:  # type: ignore[override]  # Locust's is untyped
        client = self.clientpool.get_client(request.url_split)
        if "get_socket" not in client._connection_pool.__dict__:  # noqa: SLF001 - no public way to a client's pool
            stamp_connections(client)
            _write_heads(client)
        # As Locust's, which would look up the client once more.
        url = request.url_split
        answer = client.request(request.method, url.quoted_uri, body=request.payload, headers=request.headers)
        return FastResponse(answer, request=request, sent_request=answer._sent_request)  # noqa: SLF001 - as Locust


def _write_heads(client: HTTPClient) -> None:
    """Put the trace of the running request into its head, unless its user has set one.

    The last few heads that were built are kept, without it: a user sends the same again and again.
    """
    build = client._build_request  # noqa: SLF001 - the client has no public place for it
    known: dict[tuple[Any, ...], tuple[str, str | None]] = {}

    def built(method: str, request_uri: str, body: Any, headers: Any, chunked: bool | None) -> tuple[str, str | None]:
        head = build(method, request_uri, body=body, headers=headers, chunked=chunked)
        return head, own_traceparent(head)

    def remembered(method: str, request_uri: str, headers: Headers, chunked: bool | None) -> tuple[str, str | None]:
        # The items as they are stored, past what Headers makes of them.
        defaults = client.default_headers
        key = (method, request_uri, chunked, dict.__len__(defaults), *dict.items(defaults), *dict.items(headers))
        try:
            head = known.get(key)
        except TypeError:  # a field of several lines is stored as a list
            return built(method, request_uri, b"", headers, chunked)
        if head is None:
            if len(known) >= MAX_HEADS:
                known.clear()
            head = known[key] = built(method, request_uri, b"", headers, chunked)
        return head

    def build_request(
        method: str, request_uri: str, body: Any = b"", headers: Any = None, chunked: bool | None = None
    ) -> str:
        if body or chunked or not isinstance(headers, Headers):
            head, own = built(method, request_uri, body, headers, chunked)
        else:
            head, own = remembered(method, request_uri, headers, chunked)
        watch = running()
        if watch is None:
            return head
        if own:
            watch.traceparent = own
            return head
        # One that is redirected stays in its trace.
        watch.traceparent = watch.traceparent or new_traceparent()
        return with_traceparent(head, watch.traceparent)

    client._build_request = build_request  # type: ignore[method-assign]  # noqa: SLF001 - as above
