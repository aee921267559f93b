"""Checks OTEL_PROPAGATORS before anything is imported that reads it: OpenTelemetry ends the import on a wrong name."""

from __future__ import annotations

import importlib
import os

VARIABLE = "OTEL_PROPAGATORS"


def check_propagators() -> None:
    """Import the propagators that the environment names.

    Raises:
        SettingsError: if one is unknown or not installed.
    """
    if VARIABLE not in os.environ:
        return
    try:
        importlib.import_module("opentelemetry.propagate")
    except ValueError as error:
        from inference_core.settings import SettingsError  # noqa: PLC0415 - help of a command is answered without it

        raise SettingsError(f"settings: {VARIABLE}: {error} (environment)") from None
