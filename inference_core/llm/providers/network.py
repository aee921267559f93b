"""The network access of all clients, and the conversion of network errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx2

from inference_core.llm import errors
from inference_core.llm.config.environment import certificates, is_loopback

KEPT_CONNECTIONS = 100
# Exceptions of clients for responses of an unknown form.
CLIENT_EXCEPTIONS = (ValueError, TypeError, KeyError, AttributeError)


def http_client(base_url: str, connect_s: float, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """Return a client that limits only the time to connect. The gateway limits the time of an answer.

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
        verify=certificates(),
    )


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
