"""Locust's user agent for a BaseUser, with timed connections and fast paths for plain requests.

The fast paths skip work that has no effect, such as the processing of cookies when there are none. With them, a
`BaseUser` needs less time than a `FastHttpUser`, although it records its requests (benchmarks/generator_throughput.py).
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from http.cookiejar import CookieJar
from typing import Any, cast
from urllib.request import Request

import gevent
from geventhttpclient.response import HTTPSocketPoolResponse
from geventhttpclient.url import URL, ParamsDataType
from locust.contrib.fasthttp import FastRequest, FastResponse, LocustUserAgent

from loadgate.generator.client.complete_response import CompleteResponse, LazyResponse, PlainRequest
from loadgate.generator.client.stopwatch import running
from loadgate.generator.client.timed_client import TimedClient


class KnownUrl(URL):
    """A URL whose parts are parsed only once, because a suite uses the same URLs repeatedly."""

    # mypy does not recognise these as properties.
    host = cached_property(URL.host.fget)  # type: ignore[attr-defined]
    port = cached_property(URL.port.fget)  # type: ignore[attr-defined]
    request_uri = cached_property(URL.request_uri.fget)  # type: ignore[attr-defined]
    quoted_uri = cached_property(URL.quoted_uri.fget)  # type: ignore[attr-defined]


known_url = lru_cache(maxsize=1024)(KnownUrl)


class KnownUrlRequest(FastRequest):
    """Locust's request, with cached URLs."""

    def set_url(self, url: str | URL, params: ParamsDataType | None = None) -> None:
        """Set the URL and the attributes that the base class derives from it."""
        if isinstance(url, URL) or params is not None:
            super().set_url(url, params)
            return
        self.url, self.url_split = url, known_url(url)
        self.type, self.host = self.url_split.scheme, self.url_split.netloc
        self.selector = self.url_split.request_uri or "/"


class LazyCookieJar(CookieJar):
    """A cookie jar that skips its work if there are no cookies."""

    def has_cookies(self) -> bool:
        """Return whether there is a cookie, including expired ones."""
        return bool(self._cookies)  # type: ignore[attr-defined]  # CookieJar has no public attribute

    def add_cookie_header(self, request: Request) -> None:
        """Add the cookies that belong to the request."""
        if self.has_cookies():
            super().add_cookie_header(request)

    def extract_cookies(self, response: Any, request: Request) -> None:
        """Store the cookies that the response sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response, request)


class TimedUserAgent(LocustUserAgent):
    """Locust's user agent with connections that update the stopwatch of their request."""

    request_type = KnownUrlRequest
    _outcome: HTTPSocketPoolResponse | BaseException | None = None
    """The result so far of a request that is passed on to the base class."""

    def urlopen(  # type: ignore[override]  # the base class has overloads
        self, url: Any, method: str = "GET", headers: Any = None, payload: Any = None, **options: Any
    ) -> Any:
        """Send a request; see `UserAgent.urlopen`. The base class handles errors and requests that are not plain."""
        watch = running()
        if watch is None or watch.is_streamed or options or not self._is_plain(url, headers, payload):
            return super().urlopen(url, method, headers, payload, **options)
        plain = self._with_cookies(PlainRequest(self, method.upper(), url, headers, payload))
        try:
            target = known_url(url)
            answer = self._client(target).exchange(plain, target.quoted_uri, watch)
        except gevent.GreenletExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the base class handles them
            self._outcome = error
        else:
            if isinstance(answer, CompleteResponse):
                return LazyResponse(answer)
            self._outcome = answer
        return super().urlopen(url, method, headers, payload)

    def _is_plain(self, url: Any, headers: Any, payload: Any) -> bool:
        """Return whether the base class would leave the request and its headers unchanged."""
        return (
            type(url) is str
            and type(headers) is dict
            and type(self.cookiejar) is LazyCookieJar
            and (not payload or (type(payload) in {str, bytes} and "Content-Type" in headers))
        )

    def _with_cookies(self, plain: PlainRequest) -> PlainRequest:
        """Return the request with its cookies, which are added in the same way as in the base class."""
        jar = self.cookiejar
        if not isinstance(jar, LazyCookieJar) or not jar.has_cookies():
            return plain
        request = plain.for_locust()
        jar.add_cookie_header(request)
        cookies = request.headers.get("cookie")
        return plain._replace(own_headers={**plain.own_headers, "Cookie": cookies}) if cookies else plain

    def _client(self, url: URL) -> TimedClient:
        client = self.clientpool.get_client(url)
        if not isinstance(client, TimedClient):
            TimedClient.take_over(client)
        return cast("TimedClient", client)

    def _urlopen(self, request: FastRequest) -> FastResponse:  # type: ignore[override]  # Locust's is untyped
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, BaseException):
            raise outcome
        url = request.url_split
        # As in Locust, but without a second lookup of the client.
        answer = outcome or self._client(url).request(
            request.method, url.quoted_uri, body=request.payload, headers=request.headers
        )
        return FastResponse(answer, request=request, sent_request=answer._sent_request)  # noqa: SLF001 - as Locust
