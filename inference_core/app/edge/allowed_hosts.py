"""An ASGI middleware that refuses unknown hosts."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_core.core.paths import HEALTH_PREFIX, METRICS_PATH
from inference_core.core.problems import problem_response

# Orchestrators, balancers and Prometheus use the address of a process, which cannot be listed in advance. The responses
# of these routes do not depend on the host.
ANY_HOST = (f"{HEALTH_PREFIX}/", METRICS_PATH)


class AllowedHostMiddleware:
    """Refuse requests whose `Host` is not in the list. `*.example.com` allows subdomains, and `*` allows all hosts."""

    def __init__(self, app: ASGIApp, allowed_hosts: list[str]) -> None:
        self.app = app
        self.exact = {host.lower() for host in allowed_hosts}
        self.suffixes = tuple(host[1:].lower() for host in allowed_hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse its host."""
        if scope["type"] != "http" or scope["path"].startswith(ANY_HOST) or self._allowed(host_of(scope)):
            await self.app(scope, receive, send)
            return
        response = problem_response(scope["path"], 400, "This service does not serve this host.", code="unknown_host")
        await response(scope, receive, send)

    def _allowed(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host.lower()
        return "*" in self.exact or name in self.exact or name.endswith(self.suffixes)


def host_of(scope: Scope) -> str:
    """Return the `Host` of a request, or an empty string."""
    return Headers(scope=scope).get("host", "")
