"""The environment of the programs that our commands start."""

from __future__ import annotations

import re
from collections.abc import Mapping

from inference_core.settings import Settings

# Celery and uvicorn read each option of their command lines from a variable too, and end with a traceback if they
# cannot read one. The commands give the options, so what was set for other programs is left out.
OPTIONS_OF_PROGRAMS = re.compile(r"(CELERY|C_BENCH|UVICORN|WEBSOCKETS)(_|$)|(WEB_CONCURRENCY|AUTOSCALE_KEEPALIVE)$")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environ` that are no options of Celery or uvicorn; all settings of the service are kept."""
    return {
        name: value
        for name, value in environ.items()
        if name.lower() in Settings.model_fields or not OPTIONS_OF_PROGRAMS.match(name)
    }
