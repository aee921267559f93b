"""Propagate traces through the queue. The span of a task continues the trace of the request that sent it."""

from __future__ import annotations

from contextvars import Token
from typing import Any

from celery import signals
from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from inference_core.core.queue.app import ServiceCelery
from inference_core.core.telemetry.reporting import configure_reporting, flush_reporting


def trace_headers() -> dict[str, str]:
    """Return the headers of a message that is sent now. Empty outside of a trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def install(app: ServiceCelery) -> None:
    """Report errors and traces of the workers, if the settings enable this.

    Raises:
        SettingsError: A package that the settings need is not installed.
    """
    if configure_reporting(app.settings):
        _trace_tasks()
    signals.worker_process_shutdown.connect(lambda **_: flush_reporting(), weak=False)


def _trace_tasks() -> None:
    tracer = trace.get_tracer("inference_core.core.queue")
    running: dict[str, tuple[Span, Token[context.Context]]] = {}

    def begin(task_id: str, task: Any, **_: Any) -> None:
        carrier = {name: value for name in propagate.get_global_textmap().fields if (value := task.request.get(name))}
        span = tracer.start_span(
            f"run {task.name}",
            context=propagate.extract(carrier),
            kind=SpanKind.CONSUMER,
            attributes={"messaging.system": "celery", "messaging.message.id": task_id, "celery.task_name": task.name},
        )
        running[task_id] = (span, context.attach(trace.set_span_in_context(span)))

    def end(task_id: str, state: str | None = None, **_: Any) -> None:
        if (found := running.pop(task_id, None)) is None:
            return
        span, token = found
        if state == "FAILURE":
            span.set_status(StatusCode.ERROR)
        context.detach(token)
        span.end()

    signals.task_prerun.connect(begin, weak=False)
    signals.task_postrun.connect(end, weak=False)
