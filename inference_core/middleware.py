"""Refusal of unknown hosts, as pure ASGI middleware, and of bodies that are too large."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


def limited(receive: Receive, max_bytes: int, announced_bytes: int | None) -> Receive:
    """`receive`, refusing a body of more than `max_bytes`: before any of it is read, where that was announced.

    FastAPI's own limit answers in plain text, and replaces whatever answer a handler has made for it.
    """
    received = 0
    detail = f"The body is larger than {max_bytes} bytes."

    async def receive_limited() -> Message:
        nonlocal received
        if announced_bytes is not None and announced_bytes > max_bytes:
            # The rest is not read, so that the connection cannot go on.
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, {"Connection": "close"})
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return message

    return receive_limited
