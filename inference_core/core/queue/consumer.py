"""The consumer of a worker.

Messages that are not tasks of this service go to the dead letter queue, and the worker continues.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer
from redis.exceptions import RedisError

from inference_core.core.queue.dead_letters import keep_dead_letter
from inference_core.core.queue.messages import task_problem

log = logging.getLogger(__name__)


class Consumer(CeleryConsumer):  # type: ignore[misc]  # Celery ships no types
    """Celery's consumer, which continues after any message."""

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        """Return the callback for the messages of a queue."""
        handle = super().create_task_handler(*args, **options)

        def on_message(message: Any) -> None:
            problem = task_problem(message.headers, message.content_type, message.body or "")
            if problem is not None:
                self.set_aside(message, problem)
                return
            try:
                handle(message)
            except (RedisError, OSError):
                raise  # an error of the broker, not of the message
            except Exception as error:
                log.exception("a message could not be processed")
                self.set_aside(message, f"Celery cannot process it: {type(error).__name__}")

        return on_message

    def set_aside(self, message: Any, reason: str) -> None:
        """Move a message to the dead letter queue."""
        queue = str((message.delivery_info or {}).get("routing_key"))
        log.error("message moved to the dead letter queue %s: %s", queue, reason)
        keep_dead_letter(self.app.settings, reason, queue=queue, headers=message.headers, body=_text(message.body))
        message.reject_log_error(log, self.connection_errors)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """Handle a message without a task."""
        del body
        self.set_aside(message, "not a task")

    def on_unknown_task(self, body: Any, message: Any, exc: BaseException) -> None:
        """Handle a task with an unknown name. Its submitter gets a failure."""
        keep_dead_letter(
            self.app.settings,
            "no task of this name",
            queue=str(message.delivery_info.get("routing_key")),
            headers=message.headers,
            body=_text(message.body),
        )
        super().on_unknown_task(body, message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: BaseException) -> None:
        """Handle a message with a part of an unexpected form."""
        del body
        self.set_aside(message, f"Celery cannot process it: {type(exc).__name__}")

    def on_decode_error(self, message: Any, exc: BaseException) -> None:
        """Handle a body that cannot be read or whose type is not accepted."""
        self.set_aside(message, f"the body cannot be read: {type(exc).__name__}")


def _text(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)
