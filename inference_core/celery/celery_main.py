"""The Celery application for workers: `celery -A inference_core.celery.celery_main:celery_app worker`."""

import sys

from inference_core.settings import SettingsError
from inference_core.telemetry.propagators import check_propagators

try:
    check_propagators()
    from inference_core.celery.worker_app import worker_app

    celery_app = worker_app()
except SettingsError as error:
    sys.exit(str(error))
