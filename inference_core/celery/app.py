"""Makes Celery applications from the settings: one for the worker, one for the API process that only sends."""

from __future__ import annotations

from typing import Any, Literal

from celery import Celery

from inference_core.celery.base_task import ServiceTask
from inference_core.celery.config import celery_config
from inference_core.settings import Settings

Role = Literal["worker", "client"]

# Packages whose `tasks` module holds task functions.
TASK_PACKAGES = ("inference_core.celery", "inference_core.mail", "inference_core.llm")


class ServiceCelery(Celery):  # type: ignore[misc]  # Celery ships no types
    """A Celery application that knows the service's settings."""

    settings: Settings

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__("inference_core", task_cls=ServiceTask, **options)
        self.settings = settings


def create_celery(settings: Settings, role: Role) -> ServiceCelery:
    """Make a Celery application.

    Args:
        settings: URLs and limits.
        role: a `worker` imports the tasks and waits patiently for its broker; a `client` only sends, and
            gives up within the service's Redis timeouts.
    """
    app = ServiceCelery(settings, set_as_current=role == "worker")
    app.conf.update(celery_config(settings, is_worker=role == "worker"))
    if role == "worker":
        app.autodiscover_tasks(TASK_PACKAGES)
    else:
        # With a result backend every message sent would also subscribe to its result; the API reads results itself.
        app.backend_cls = "disabled"
    return app
