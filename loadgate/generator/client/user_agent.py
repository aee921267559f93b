"""The HTTP client of a BaseUser: Locust's, timed on its connections, traced, and without work that shows no result.

Leaving that work out makes up for the time that keeping the record takes.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import Request

from geventhttpclient.url import URL, ParamsDataType
from locust.contrib.fasthttp import FastRequest, FastResponse, LocustUserAgent

from loadgate.generator.client.timed_client import TimedClient


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

    def _urlopen(self, request: FastRequest) -> FastResponse:  # type: ignore[override]  # Locust's is untyped
        client = self.clientpool.get_client(request.url_split)
        if not isinstance(client, TimedClient):
            TimedClient.take_over(client)
        # As Locust's, which would look up the client once more.
        url = request.url_split
        answer = client.request(request.method, url.quoted_uri, body=request.payload, headers=request.headers)
        return FastResponse(answer, request=request, sent_request=answer._sent_request)  # noqa: SLF001 - as Locust
