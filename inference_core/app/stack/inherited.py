"""The environment of the programs that the commands start."""

from __future__ import annotations

import re
from collections.abc import Mapping

from inference_core.core.current_service import current_service
from inference_core.core.service_settings import settings_class

# Celery and uvicorn also read each command-line option from a variable, and end with a traceback if its value is wrong.
# The commands pass all options, so variables that were set for other programs are removed.
OPTIONS_OF_PROGRAMS = re.compile(r"(CELERY|C_BENCH|UVICORN|WEBSOCKETS)(_|$)|(WEB_CONCURRENCY|AUTOSCALE_KEEPALIVE)$")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without the options of Celery and uvicorn. All settings of the service remain."""
    settings = settings_class(current_service()).model_fields
    return {
        name: value
        for name, value in environ.items()
        if name.lower() in settings or not OPTIONS_OF_PROGRAMS.match(name)
    }
