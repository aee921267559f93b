"""The worker's consumer: what is no task of this service goes to the dead letter queue, and the worker goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer
from redis.exceptions import RedisError

from inference_core.celery.dead_letters import keep_dead_letter
from inference_core.celery.messages import task_problem

log = logging.getLogger(__name__)


class Consumer(CeleryConsumer):  # type: ignore[misc]  # Celery ships no types
    """Celery's consumer, which no message can end."""

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        """What is called with each message of a queue."""
        handle = super().create_task_handler(*args, **options)

        def on_message(message: Any) -> None:
            problem = task_problem(message.headers, message.content_type, message.body or "")
            if problem is not None:
                self.set_aside(message, problem)
                return
            try:
                handle(message)
            except (RedisError, OSError):
                raise  # the broker's, not the message's
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
        """Celery found no task in it."""
        del body
        self.set_aside(message, "not a task")

    def on_unknown_task(self, body: Any, message: Any, exc: BaseException) -> None:
        """This worker knows no task of that name: its submitter is told that it failed."""
        keep_dead_letter(
            self.app.settings,
            "no task of this name",
            queue=str(message.delivery_info.get("routing_key")),
            headers=message.headers,
            body=_text(message.body),
        )
        super().on_unknown_task(body, message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: BaseException) -> None:
        """Celery found a part of it of another form than it expects."""
        del body
        self.set_aside(message, f"Celery cannot process it: {type(exc).__name__}")

    def on_decode_error(self, message: Any, exc: BaseException) -> None:
        """The body cannot be read, or is of a kind that is not accepted."""
        self.set_aside(message, f"the body cannot be read: {type(exc).__name__}")


def _text(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)
