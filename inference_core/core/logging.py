"""Structured logs: one JSON object per line, or coloured lines on a terminal, with the request id."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from inference_core.core.log_lines import short_time, shows_colours
from inference_core.core.loggers import structlog
from inference_core.core.settings import Settings
from inference_core.core.standard_streams import open_closed_streams

request_id_var: ContextVar[str] = ContextVar("request_id", default="")
user_id_var: ContextVar[str] = ContextVar("user_id", default="")
trace_id_var: ContextVar[str] = ContextVar("trace_id", default="")
task_id_var: ContextVar[str] = ContextVar("task_id", default="")


def current_request_id() -> str:
    """Return the id of the current request, or an empty string."""
    return request_id_var.get()


def _add_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for variable in (request_id_var, user_id_var, trace_id_var, task_id_var):
        if value := variable.get():
            event.setdefault(variable.name, value)
    return event


def _shorten_time(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["timestamp"] = short_time(datetime.fromisoformat(event["timestamp"]).timestamp())
    return event


def logs_are_json(settings: Settings) -> bool:
    """Return whether log lines are JSON objects and not text for a terminal."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


SHARED: list[structlog.typing.Processor] = [
    _add_ids,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def log_formatter(*, as_json: bool) -> logging.Formatter:
    """A formatter of records of structlog and the standard library."""
    # Without the values of local variables, which are shown by default and can contain passwords and tokens.
    final: list[structlog.typing.Processor] = (
        [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
        if as_json
        else [
            _shorten_time,
            structlog.dev.ConsoleRenderer(
                colors=shows_colours(sys.stderr), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *SHARED],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
    )


def configure_logging(settings: Settings) -> None:
    """Write the records of structlog and the standard library to stderr in one format."""
    open_closed_streams()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_formatter(as_json=logs_are_json(settings)))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # The service has its own access log. Without handlers of this logger, the server writes none.
    logging.getLogger("uvicorn.access").handlers = []
    logging.getLogger("uvicorn.access").propagate = False
    limit_libraries(settings)
    configure_structlog()


def limit_libraries(settings: Settings) -> None:
    """Show only warnings of libraries that log each pool and each migration, unless the level is DEBUG."""
    # A pool's logger has the name of its class.
    for name in ("sqlalchemy.pool", "inference_core.core.db.pool", "alembic"):
        logging.getLogger(name).setLevel(logging.DEBUG if settings.log_level == "DEBUG" else logging.WARNING)


def configure_structlog() -> None:
    """Pass the records of structlog to the loggers of the standard library."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
