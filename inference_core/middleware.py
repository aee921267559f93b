"""Pure ASGI middleware: refusal of unknown hosts."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_core.errors import problem_response


class AllowedHostMiddleware:
    """Refuses requests whose `Host` is not in the list; `*.example.com` allows subdomains, `*` everything."""

    def __init__(self, app: ASGIApp, allowed_hosts: list[str]) -> None:
        self.app = app
        self.exact = {host.lower() for host in allowed_hosts}
        self.suffixes = tuple(host[1:].lower() for host in allowed_hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse its host."""
        if scope["type"] != "http" or self._allowed(Headers(scope=scope).get("host", "")):
            await self.app(scope, receive, send)
            return
        response = problem_response(scope["path"], 400, "This host is not served here.", code="unknown_host")
        await response(scope, receive, send)

    def _allowed(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host.lower()
        return "*" in self.exact or name in self.exact or name.endswith(self.suffixes)
