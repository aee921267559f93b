"""A start that is refused says why in one line, where Starlette would print a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starlette.types import Message, Send

from inference_core.exceptions import OperatorError

# Their text names the file.
FILE_ERRORS = (
    OSError,
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


def one_line_startup_failure(send: Send) -> Send:
    """`send` for a lifespan, with the message of a refused start cut down to its reason."""

    async def send_short(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message.get("message", "").rstrip().rsplit("\n", 1)[-1]
            error, _, reason = last_line.partition(": ")
            if error.rpartition(".")[2] in _one_line_errors():
                message = {**message, "message": reason}
        await send(message)

    return send_short


def _one_line_errors() -> set[str]:
    """The names of the errors whose text is written for whoever starts the service; the one raised is loaded."""
    errors: Iterable[type[Exception]] = (*FILE_ERRORS, *_with_subclasses(OperatorError))
    return {error.__name__ for error in errors}


def _with_subclasses(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for subclass in error.__subclasses__():
        yield from _with_subclasses(subclass)
