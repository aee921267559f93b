"""Send an open stream as events, and record its result. Independent of HTTP and the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from inference_core.core.exceptions import ServiceError
from inference_core.core.loggers import get_logger
from inference_core.llm.gateway.open_stream import OpenStream
from inference_core.llm.streaming.events import END, encode_error, encode_token, encode_usage
from inference_core.llm.streaming.streams import ActiveStream, Interruption, Write
from inference_core.llm.types import Token, Usage

log = get_logger(__name__)

NOT_STORED = "The answer is complete, but it could not be stored in the conversation."
SHUTTING_DOWN = encode_error("shutting_down", "The service is shutting down. Try again.")


@dataclass(slots=True)
class Progress:
    """The progress of a stream, updated while it is sent.

    Attributes:
        pieces: The text, if it is to be stored.
        tokens: The number of sent token events.
        usage: The usage of the complete answer; None before its end.
        error: The failure of the provider that ended the stream.
        interrupted: The interruption by the service that ended the stream.
    """

    pieces: list[str] = field(default_factory=list)
    tokens: int = 0
    usage: Usage | None = None
    error: ServiceError | None = None
    interrupted: Interruption | None = None

    @property
    def complete(self) -> bool:
        """Return whether the complete answer was generated and sent."""
        return self.usage is not None


async def pump(
    stream: ActiveStream, source: OpenStream, write: Write, start: bytes, progress: Progress, *, keep_text: bool
) -> None:
    """Send `start` and every token, each once and in order, until the answer ends or is interrupted.

    `progress` is updated meanwhile. When this function returns, the call of the provider has ended.
    """
    now = asyncio.get_running_loop().time
    async with stream:
        try:
            async with source:
                stream.writing = True
                await write(start)
                stream.writing = False
                stream.begin_writing(write)
                async for item in source:
                    if not isinstance(item, Token):
                        progress.usage = item
                        continue
                    progress.tokens += 1
                    if keep_text:
                        progress.pieces.append(item.content)
                    stream.moved_at_s = now()
                    stream.writing = True
                    await write(encode_token(item))
                    stream.writing = False
        except ServiceError as error:
            progress.error = error
        finally:
            stream.writing = False
    progress.interrupted = stream.interrupted


async def finish(
    progress: Progress, write: Write, store: Callable[[], Awaitable[None]], *, write_timeout_s: float
) -> bool:
    """Store the stream and send its last events. Return False if the client no longer reads them.

    The stream is stored before `end` is sent, so that the client's next request finds both turns.
    """
    if progress.interrupted in ("gone", "stalled"):
        await _stored(store)
        return False
    if progress.error is not None:
        last = encode_error(progress.error.code, progress.error.detail)
    elif progress.interrupted == "shutting_down" or progress.usage is None:
        last = SHUTTING_DOWN
    else:
        last = encode_usage(progress.usage)
    try:
        async with asyncio.timeout(write_timeout_s):
            await write(last)
    except TimeoutError:
        await _stored(store)
        return False
    problem = await _stored(store)
    try:
        async with asyncio.timeout(write_timeout_s):
            if problem is not None and progress.complete:
                await write(encode_error(problem.code, NOT_STORED))
            await write(END)
    except TimeoutError:
        return False
    return True


async def _stored(store: Callable[[], Awaitable[None]]) -> ServiceError | None:
    try:
        await store()
    except ServiceError as error:
        return error
    except Exception:
        # The client must get an `end` event after any error.
        log.exception("llm_stream_not_stored")
        return ServiceError()
    return None
