"""Check the variables that OpenTelemetry reads when it is imported, before any other module imports it.

With a wrong name in OTEL_PROPAGATORS, the import fails. With one in OTEL_PYTHON_CONTEXT, it logs a traceback.
"""

from __future__ import annotations

import importlib
import os
from importlib.metadata import entry_points
from typing import NoReturn

PROPAGATORS = "OTEL_PROPAGATORS"
CONTEXT = "OTEL_PYTHON_CONTEXT"
_SHOWN_CHARACTERS = 60


def check_opentelemetry_variables() -> None:
    """Import what the variables name.

    Raises:
        SettingsError: A name is unknown or not installed.
    """
    context = os.environ.get(CONTEXT)
    if context and not entry_points(group="opentelemetry_context", name=context):
        _refuse(CONTEXT, f"context {context[:_SHOWN_CHARACTERS]!r} not found")
    if PROPAGATORS in os.environ:
        try:
            importlib.import_module("opentelemetry.propagate")
        except ValueError as error:
            _refuse(PROPAGATORS, error)


def _refuse(variable: str, problem: object) -> NoReturn:
    from inference_core.core.settings import SettingsError  # noqa: PLC0415 - help of a command is answered without it

    raise SettingsError(f"settings: {variable}: {problem} (environment)") from None
