"""How every client reaches the network, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from inference_core.llm import errors

KEPT_CONNECTIONS = 100
# What a client raises that stumbles over an answer of an unknown shape.
STUMBLES = (ValueError, TypeError, KeyError, AttributeError)


def http_client(connect_s: float) -> httpx2.AsyncClient:
    """Connections whose making is bounded, and nothing else: how long an answer may take is the gateway's matter.

    A hook sets the times, as some clients replace those of the connection pool with their own. Redirects are not
    followed, so that the key reaches no other host.
    """

    async def bound(request: httpx2.Request) -> None:
        request.extensions["timeout"] = httpx2.Timeout(None, connect=connect_s).as_dict()

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS)
    return httpx2.AsyncClient(limits=limits, event_hooks={"request": [bound]})


@contextmanager
def network_errors(provider: str) -> Iterator[None]:
    """Turn what httpx2 raises into errors of ours."""
    try:
        yield
    except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise errors.ProviderTimeoutError(provider, "connect", type(error).__name__) from None
    except httpx2.ConnectError as error:
        raise errors.UpstreamUnavailableError(provider, type(error).__name__) from None
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise errors.UpstreamFailedError(provider, type(error).__name__) from None
