"""The environment of a process: the keys, proxies and certificates of providers."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2
from dotenv import dotenv_values

from inference_core.core.settings import ENV_FILE


def process_environment(env_file: Path | None = ENV_FILE) -> Mapping[str, str]:
    """Return the environment, with the lines of `.env` as defaults. Both can contain keys of providers."""
    below = dotenv_values(env_file) if env_file and env_file.is_file() else {}
    return {name: value for name, value in below.items() if value is not None} | os.environ


PROXY_SCHEMES = ("http", "https", "all")


class BadCertificatesError(Exception):
    """Raised for unreadable certificates of the environment. The text is one line that names the variables."""


class BadProxyError(Exception):
    """Raised for an unusable proxy of the environment.

    The text is one line that names the variable but not its value.
    """


def certificates() -> ssl.SSLContext:
    """Return the SSL context with the certificates of the environment."""
    return _certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


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
                f"{variable} is not a valid proxy; set it to an http://, https://, socks5:// or socks5h:// URL with a"
                " host and port, or unset it"
            ) from None
        if not proxy.url.host:
            raise BadProxyError(f"{variable} has no host; set it to http://host:port, or unset it")
        if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
            raise BadProxyError(
                f"{variable} is a SOCKS proxy, which needs a package that is not installed: pip install socksio"
                " (or use an http:// proxy, or add the provider's host to NO_PROXY)"
            )


def check_certificates() -> None:
    """Check that the certificates of the environment can be read, before a client uses them.

    Raises:
        BadCertificatesError: The certificates cannot be read.
    """
    named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    if not named:
        return
    try:
        certificates()
    except OSError as error:
        reason = error.strerror or error
        raise BadCertificatesError(f"the certificates in {' or '.join(named)} cannot be read: {reason}") from None
