"""The log lines of workers in the format of the service, with the ids of the task and of the request that sent it."""

from __future__ import annotations

import logging
from typing import Any

from celery import signals

from inference_core.core.logging import (
    configure_structlog,
    limit_libraries,
    log_formatter,
    logs_are_json,
    request_id_var,
    task_id_var,
    trace_id_var,
)
from inference_core.core.queue.app import ServiceCelery

# Message headers and their names in the log.
CARRIED = {"request_id": request_id_var, "trace_id": trace_id_var}


def id_headers() -> dict[str, str]:
    """Return the headers of a message that is sent now: the ids of the current request."""
    return {name: value for name, variable in CARRIED.items() if (value := variable.get())}


def install(app: ServiceCelery) -> None:
    """Set the format of the handlers that Celery configures with its options (`--loglevel`, `--logfile`)."""
    configure_structlog()
    limit_libraries(app.settings)

    def restyle(logger: logging.Logger, logfile: object, **_: Any) -> None:
        # A file needs no colours.
        as_json = logs_are_json(app.settings) or (app.settings.log_format == "auto" and logfile is not None)
        for handler in logger.handlers:
            handler.setFormatter(log_formatter(as_json=as_json))

    def begin(task_id: str, task: Any, **_: Any) -> None:
        task_id_var.set(task_id)
        for name, variable in CARRIED.items():
            variable.set(task.request.get(name) or "")

    def end(**_: Any) -> None:
        for variable in (task_id_var, *CARRIED.values()):
            variable.set("")

    signals.after_setup_logger.connect(restyle, weak=False)
    signals.after_setup_task_logger.connect(restyle, weak=False)
    signals.task_prerun.connect(begin, weak=False)
    signals.task_postrun.connect(end, weak=False)
