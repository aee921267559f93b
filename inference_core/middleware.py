"""Pure ASGI middleware: refusal of unknown hosts and of bodies that are too large."""

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


class BodyLimitMiddleware:
    """Refuses bodies of more than `max_bytes` with a problem document, announced or not.

    FastAPI's own limit answers in plain text, and replaces whatever answer a handler has made for it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = _header(scope, b"content-length")
        if announced is not None and announced.isdigit() and int(announced) > self.max_bytes:
            # The rest is not read, so that the connection cannot go on.
            headers = {"Connection": "close"}
            problem = problem_response(
                scope["path"], HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.detail, code="body_too_large", headers=headers
            )
            await problem(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self.max_bytes:
                    raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.detail)
            return message

        await self.app(scope, receive_counted, send)

    @property
    def detail(self) -> str:
        """The sentence for the client."""
        return f"The body is larger than {self.max_bytes} bytes."


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return None
