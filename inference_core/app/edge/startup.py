"""Report a refused start in one line instead of Starlette's traceback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starlette.types import Message, Send

from inference_core.core.exceptions import OperatorError

# The text of these errors names the file.
FILE_ERRORS = (
    OSError,
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


def one_line_startup_failure(send: Send) -> Send:
    """Return a `send` for a lifespan that shortens the message of a refused start to its reason."""

    async def send_short(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message.get("message", "").rstrip().rsplit("\n", 1)[-1]
            error, _, reason = last_line.partition(": ")
            if error.rpartition(".")[2] in _one_line_errors():
                message = {**message, "message": reason}
        await send(message)

    return send_short


def _one_line_errors() -> set[str]:
    """Return the names of errors whose text is for the operator.

    Names avoid imports, because a raised error is already loaded.
    """
    errors: Iterable[type[Exception]] = (*FILE_ERRORS, *_with_subclasses(OperatorError))
    return {error.__name__ for error in errors}


def _with_subclasses(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for subclass in error.__subclasses__():
        yield from _with_subclasses(subclass)
