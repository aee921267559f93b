"""Receive request bodies with limits on their size, time, number of values and encoding.

A body is received before its request gets a slot, so a slow client does not block other requests.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from inference_core.core.paths import ADMIN_PREFIX, AUTH_PREFIX
from inference_core.core.traffic import OverloadedError

BODY_WITHIN_S = 20.0
# Only this part of a larger body is received before its request gets a slot.
TAKEN_IN_BYTES = 1024 * 1024
# The limits of all bodies of a process whose requests have no slot yet.
INTAKE_BYTES = 64 * 1024 * 1024
INTAKE_BODIES = 256
# The cost of parsing each part of JSON, in units of 0.1 us. The maximum blocks the event loop for 25 ms: 40,000 names,
# or 60,000 lists. A prompt of the maximum length is accepted, even if it contains JSON.
COST_OF = {b",": 1, b"[": 3, b"{": 3, b":": 5}
MAX_COST = 240_000
UNCOUNTED_BYTES = 64 * 1024
# The time of the form parser is quadratic in the number of parameters of the content type.
MAX_CONTENT_TYPE_BYTES = 256
SMALL_BODIES = (f"{AUTH_PREFIX}/", f"{ADMIN_PREFIX}/")
FORM = re.compile(rb"multipart/|application/x-www-form-urlencoded", re.IGNORECASE)
UTF_8 = re.compile(rb";\s*charset\s*=\s*(utf-?8|\"utf-?8\")\s*(?=;|$)", re.IGNORECASE)


class BodyError(HTTPException):
    """Raised for a refused body. An HTTPException, because FastAPI converts any other error of the reading to a 400."""

    code: ClassVar[str]


class BodyTooLargeError(BodyError):
    """Raised for a body that is too large."""

    code = "body_too_large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {max_bytes} bytes.")


class BodyTooComplexError(BodyError):
    """Raised for a body whose values take too long to parse."""

    code = "body_too_complex"

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body has too many values.")


class BodyTooSlowError(BodyError):
    """Raised if the rest of a body does not arrive in time."""

    code = "body_too_slow"

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_TIMEOUT, f"The body did not arrive within {BODY_WITHIN_S:.0f} s.")


class UnsupportedFormError(BodyError):
    """Raised for a form in an encoding other than UTF-8, because other decoders can take any time."""

    code = "unsupported_media_type"

    def __init__(self) -> None:
        detail = "Forms are read as UTF-8, and a content type has at most 256 characters."
        super().__init__(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


class IntakeFullError(OverloadedError):
    """Raised if arriving bodies use too much memory and this one has been arriving for the longest time."""


class ClientGoneError(Exception):
    """Raised if the client disconnects before its body is complete."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The maximum sizes of bodies: a general one, and a smaller one for forms and account routes."""

    max_bytes: int
    max_form_bytes: int

    def of(self, path: str, content_type: bytes) -> int:
        """Return the limit for a request."""
        if path.startswith(SMALL_BODIES) or FORM.search(content_type):
            return min(self.max_bytes, self.max_form_bytes)
        return self.max_bytes


def refusal_of(content_type: bytes) -> BodyError | None:
    """Return why a body of this type is refused. None if it is accepted."""
    if len(content_type) > MAX_CONTENT_TYPE_BYTES:
        return UnsupportedFormError()
    # After the removal of UTF-8, any other charset parameter is refused, in every syntax that parsers accept.
    if FORM.search(content_type) and b"charset" in UTF_8.sub(b"", content_type).lower():
        return UnsupportedFormError()
    return None


@dataclass(slots=True)
class Intake:
    """The bodies of requests without a slot. Their number and their bytes are bounded.

    If a limit is exceeded, the body that has been arriving for the longest time is refused.
    """

    limit_bytes: int = INTAKE_BYTES
    limit_bodies: int = INTAKE_BODIES
    held_bytes: int = 0
    coming: dict[Body, None] = field(default_factory=dict)

    def begin(self, body: Body) -> None:
        """Add a body."""
        self.coming[body] = None
        if len(self.coming) > self.limit_bodies:
            self._make_room()

    def add(self, size: int) -> None:
        """Count received bytes."""
        self.held_bytes += size
        if self.held_bytes > self.limit_bytes and self.coming:
            self._make_room()

    def end(self, body: Body) -> None:
        """Remove a body that is complete or refused."""
        self.coming.pop(body, None)

    def _make_room(self) -> None:
        oldest = next(iter(self.coming))
        self.end(oldest)
        oldest.give_up()


class Body:
    """The body of one request. The application reads it with `receive`."""

    __slots__ = (
        "_content_type", "_counted_bytes", "_deadline_s", "_failure", "_has_room", "_intake", "_max_bytes", "_receive",
        "_received_bytes", "_taken_in", "_timeout", "is_complete",
    )  # fmt: skip

    def __init__(self, receive: Receive, max_bytes: int, content_type: bytes, announced_bytes: int | None) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._content_type = content_type
        self._failure = refusal_of(content_type)
        if announced_bytes is not None and announced_bytes > max_bytes:
            self._failure = BodyTooLargeError(max_bytes)
        self._intake: Intake | None = None
        self._counted_bytes = 0
        self._received_bytes = 0
        self._taken_in: bytearray | None = None
        self._deadline_s = 0.0
        self._timeout: asyncio.Timeout | None = None
        self._has_room = True
        self.is_complete = False

    async def take_in(self, intake: Intake) -> None:
        """Receive the body, at most its first `TAKEN_IN_BYTES`. Errors are raised when the application reads it.

        Its bytes count for `intake` until `leave_intake` is called, also after an error.

        Raises:
            ClientGoneError: The client has disconnected.
            IntakeFullError: The bodies of all requests exceed a limit, and this one has been arriving longest.
        """
        if self._failure is not None:
            return
        self._intake = intake
        intake.begin(self)
        try:
            await self._collect(intake)
        except TimeoutError:
            if not self._has_room:
                raise IntakeFullError from None
            self._failure = BodyTooSlowError()
        except BodyError as error:
            self._failure = error
        finally:
            intake.end(self)

    async def _collect(self, intake: Intake) -> None:
        taken_in = self._taken_in = bytearray()
        async with asyncio.timeout_at(self._deadline()) as self._timeout:
            while not self.is_complete and len(taken_in) < TAKEN_IN_BYTES:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                piece = message.get("body", b"")
                taken_in += piece
                self._counted_bytes += len(piece)
                self._note(message)
                intake.add(len(piece))
        # Some routes read a body without a content type as JSON.
        may_be_json = not self._content_type or b"json" in self._content_type.lower()
        if may_be_json and len(taken_in) > UNCOUNTED_BYTES and _cost(taken_in) > MAX_COST:
            raise BodyTooComplexError

    def give_up(self) -> None:
        """Stop receiving this body, because a limit is exceeded."""
        self._has_room = False
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())

    def leave_intake(self) -> None:
        """Stop counting the body, because its request has its slot or its response."""
        if self._intake is not None:
            self._intake.held_bytes -= self._counted_bytes
            self._intake = None

    async def receive(self) -> Message:
        """Return the messages for the application: the body, then those of the server.

        Raises:
            BodyError: The body is refused.
        """
        if self._failure is not None:
            raise self._failure
        if self._taken_in is not None:
            body, self._taken_in = bytes(self._taken_in), None
            return {"type": "http.request", "body": body, "more_body": not self.is_complete}
        if self.is_complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline()):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlowError from None
        self._note(message)
        return message

    def _deadline(self) -> float:
        if not self._deadline_s:
            self._deadline_s = asyncio.get_running_loop().time() + BODY_WITHIN_S
        return self._deadline_s

    def _note(self, message: Message) -> None:
        self.is_complete = not message.get("more_body", False)
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self._max_bytes:
            raise BodyTooLargeError(self._max_bytes)


def _cost(text: bytearray) -> int:
    """Return an upper bound of the cost of parsing this JSON. Characters within strings count as well."""
    return sum(text.count(part) * cost for part, cost in COST_OF.items())
