"""A start that is refused says why in one line, where Starlette would print a traceback."""

from __future__ import annotations

from starlette.types import Message, Send

from inference_core.db.migrate import MigrationError
from inference_core.settings import SettingsError

# Errors whose text is written for whoever starts the service, and those of files, whose text names the file.
ONE_LINE = {
    error.__name__
    for error in (
        MigrationError,
        SettingsError,
        OSError,
        FileExistsError,
        FileNotFoundError,
        IsADirectoryError,
        NotADirectoryError,
        PermissionError,
    )
}


def one_line_startup_failure(send: Send) -> Send:
    """`send` for a lifespan, with the message of a refused start cut down to its reason."""

    async def send_short(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message.get("message", "").rstrip().rsplit("\n", 1)[-1]
            error, _, reason = last_line.partition(": ")
            if error.rpartition(".")[2] in ONE_LINE:
                message = {**message, "message": reason}
        await send(message)

    return send_short
