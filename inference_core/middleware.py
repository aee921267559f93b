"""Refusal of unknown hosts, as pure ASGI middleware, and of bodies that are too large or too slow."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_core.errors import problem_response

BODY_WITHIN_S = 20.0


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


class BodyTooLargeError(HTTPException):
    """More than is read of a body; an HTTPException, because FastAPI makes a 400 of any other error while it reads."""

    code = "body_too_large"

    def __init__(self, max_bytes: int, headers: dict[str, str] | None = None) -> None:
        detail = f"The body is larger than {max_bytes} bytes."
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers)


class BodyTooSlowError(HTTPException):
    """The rest of a body did not come in time."""

    code = "body_too_slow"

    def __init__(self) -> None:
        detail = f"The body did not come within {BODY_WITHIN_S:.0f} s."
        super().__init__(HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"})


def limited(receive: Receive, max_bytes: int, announced_bytes: int | None) -> Receive:
    """`receive`, refusing a body of more than `max_bytes`: before any of it is read, where that was announced.

    One that does not come in time is refused as well, for it holds a slot that others wait for.

    FastAPI's own limit answers in plain text, and replaces whatever answer a handler has made for it.
    """
    received = 0
    deadline_s: float | None = None
    is_complete = False

    async def receive_limited() -> Message:
        nonlocal received, deadline_s, is_complete
        if is_complete:
            return await receive()
        if announced_bytes is not None and announced_bytes > max_bytes:
            # The rest is not read, so that the connection cannot go on.
            raise BodyTooLargeError(max_bytes, {"Connection": "close"})
        if deadline_s is None:
            deadline_s = asyncio.get_running_loop().time() + BODY_WITHIN_S
        try:
            async with asyncio.timeout_at(deadline_s):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlowError from None
        is_complete = not message.get("more_body", False)
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise BodyTooLargeError(max_bytes)
        return message

    return receive_limited
