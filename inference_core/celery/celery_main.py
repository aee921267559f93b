"""The Celery application for workers: `celery -A inference_core.celery.celery_main:celery_app worker`."""

import sys

from inference_core.core.exceptions import OperatorError
from inference_core.core.telemetry.opentelemetry_variables import check_opentelemetry_variables

try:
    check_opentelemetry_variables()
    from inference_core.app.worker_app import worker_app

    celery_app = worker_app()
except OperatorError as error:
    sys.exit(str(error))
