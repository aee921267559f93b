"""The Celery application a worker serves: `celery -A inference_core.celery.celery_main:celery_app worker`."""

from __future__ import annotations

import sys

from inference_core.celery import beacon, parking, shutdown
from inference_core.celery.app import ServiceCelery, create_celery
from inference_core.llm.config.loader import load_llm_config
from inference_core.settings import SettingsError, load_settings


def worker_app() -> ServiceCelery:
    """The worker's application, from the environment and `.env`; ends the process if those are unusable."""
    try:
        settings = load_settings()
        load_llm_config(settings)  # a bad one stops the start, not the first task
    except SettingsError as error:
        sys.exit(str(error))
    app = create_celery(settings, "worker")
    beacon.install(app)
    shutdown.install(app)
    parking.install(app)
    return app


celery_app = worker_app()
