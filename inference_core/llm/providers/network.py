"""The network access of all clients, and the conversion of network errors."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2

from inference_core.llm import errors

KEPT_CONNECTIONS = 100
# Exceptions of clients for responses of an unknown form.
STUMBLES = (ValueError, TypeError, KeyError, AttributeError)
PROXY_SCHEMES = ("http", "https", "all")


class BadCertificatesError(Exception):
    """Raised for unreadable certificates of the environment. The text is one line that names the variables."""


class BadProxyError(Exception):
    """Raised for an unusable proxy of the environment.

    The text is one line that names the variable but not its value.
    """


def http_client(base_url: str, connect_s: float, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """A transport that limits only the time to connect. The gateway limits the time of an answer.

    A hook sets the timeouts, because some clients replace those of the connection pool. Redirects are not followed, so
    that no other host gets the key. `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` apply, except for hosts on
    this machine.
    """

    async def bound(request: httpx2.Request) -> None:
        request.extensions["timeout"] = httpx2.Timeout(None, connect=connect_s).as_dict()

    uses_proxy = not is_loopback(base_url)
    return httpx2.AsyncClient(
        base_url=base_url,
        headers=dict(headers or {}),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS),
        event_hooks={"request": [bound]},
        trust_env=uses_proxy,
        # Certificates of the environment apply in both cases.
        verify=_certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
    )


@lru_cache(maxsize=1)
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:  # noqa: ARG001
    """Return the SSL context of all clients. Loading it takes 40 ms, so clients with the same environment share it."""
    return httpx2.create_ssl_context(trust_env=True)


def is_loopback(url: str) -> bool:
    """Return whether the host of `url` is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_proxies() -> None:
    """Check the proxies of the environment before a client uses them.

    Raises:
        BadProxyError: A proxy is malformed, or needs a package that is not installed.
    """
    proxies = getproxies()
    if "*" in (host.strip() for host in proxies.get("no", "").split(",")):
        return
    for scheme in PROXY_SCHEMES:
        url = proxies.get(scheme)
        if not url:
            continue
        variable = f"{scheme.upper()}_PROXY"
        try:
            proxy = httpx2.Proxy(url if "://" in url else f"http://{url}")
        except (ValueError, TypeError, httpx2.InvalidURL):
            raise BadProxyError(
                f"{variable} is no proxy that can be used; give http://, https://, socks5:// or socks5h:// with a host"
                " and port, or unset it"
            ) from None
        if not proxy.url.host:
            raise BadProxyError(f"{variable} has no host; give http://host:port, or unset it")
        if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
            raise BadProxyError(
                f"{variable} is a SOCKS proxy, which needs a package that is not installed: pip install socksio"
                " (or use an http:// proxy, or name the provider's host in NO_PROXY)"
            )


def check_certificates() -> None:
    """Read the certificates that the environment names before a client is made with them.

    Raises:
        BadCertificatesError: The certificates cannot be read.
    """
    named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    if not named:
        return
    try:
        _certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    except OSError as error:
        reason = error.strerror or error
        raise BadCertificatesError(f"{' or '.join(named)} has no certificates that can be read: {reason}") from None


@contextmanager
def network_errors(provider: str) -> Iterator[None]:
    """Convert errors of httpx2 to errors of the service."""
    try:
        yield
    except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise errors.ProviderTimeoutError(provider, "connect", type(error).__name__) from None
    except httpx2.ConnectError as error:
        raise errors.UpstreamUnavailableError(provider, type(error).__name__) from None
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise errors.UpstreamFailedError(provider, type(error).__name__) from None
