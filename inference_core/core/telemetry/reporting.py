"""OpenTelemetry traces and Sentry reports, each only if configured. Their packages are optional.

API processes and workers use the same code. Neither receives data of callers: no body, no query, no credentials.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from inference_core import __version__
from inference_core.core.settings import Settings, SettingsError

HOW_TO_INSTALL = "install them with: poetry install -E telemetry"
TRACING_PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
TRACING = "inference_core.core.telemetry.tracing"
FLUSH_TIMEOUT_S = 2.0


class Refusals(logging.Handler):
    """A handler that keeps the exceptions that a library logs, and passes on its other records."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of the record, or pass it on."""
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])
        else:
            logging.getLogger().handle(record)


def configure_reporting(settings: Settings) -> bool:
    """Start the configured reporting. Return whether traces are exported.

    Raises:
        SettingsError: The packages of a configured service are not installed, or refuse a value of the environment.
    """
    if settings.sentry_dsn.get_secret_value():
        _start_sentry(settings)
    if not settings.otel_exporter_otlp_endpoint:
        return False
    with _told_in_one_line():
        for name in TRACING_PACKAGES:
            _optional(name, "OTEL_EXPORTER_OTLP_ENDPOINT")
        importlib.import_module(TRACING).start(settings)
    return True


def flush_reporting() -> None:
    """Send the remaining data, for at most `FLUSH_TIMEOUT_S` each. This blocks.

    Servers and workers end by a signal, so the exit hooks of the interpreter would not do this.
    """
    if tracing := sys.modules.get(TRACING):
        tracing.flush(FLUSH_TIMEOUT_S)
    if sentry := sys.modules.get("sentry_sdk"):
        sentry.flush(timeout=FLUSH_TIMEOUT_S)


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Raise a SettingsError for values that OpenTelemetry refuses. It raises some errors and logs others."""
    refusals, logger = Refusals(), logging.getLogger("opentelemetry")
    logger.addHandler(refusals)
    logger.propagate = False
    try:
        yield
    except SettingsError:
        raise
    except Exception as error:  # noqa: BLE001
        refusals.errors.append(error)
    finally:
        logger.propagate = True
        logger.removeHandler(refusals)
    if refusals.errors:
        names = ", ".join(sorted(name for name in os.environ if name.startswith("OTEL_")))
        raise SettingsError(f"settings: OpenTelemetry cannot use a value of {names}: {refusals.errors[0]!r}")


def _start_sentry(settings: Settings) -> None:
    sentry = _optional("sentry_sdk", "SENTRY_DSN")
    names = ("starlette.StarletteIntegration", "fastapi.FastApiIntegration", "celery.CeleryIntegration")
    # Exceptions are reported where they are handled. Log lines would report them again, with names and addresses.
    no_lines = _integration("logging.LoggingIntegration", level=None, event_level=None)
    try:
        sentry.init(
            dsn=settings.sentry_dsn.get_secret_value(),
            environment=settings.environment,
            release=f"{settings.app_name}@{__version__}",
            send_default_pii=False,
            max_request_body_size="never",
            include_local_variables=False,
            # Other installed packages must not add integrations, which could record prompts, for example.
            auto_enabling_integrations=False,
            integrations=[no_lines, *(_integration(name) for name in names)],
            before_send=without_query,
        )
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(f"settings: SENTRY_DSN: its client cannot be set up; see HTTP_PROXY: {reason}") from None


def without_query(event: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """Return the event without the query of the request, which can contain secrets."""
    event.get("request", {}).pop("query_string", None)
    return event


def _integration(name: str, **options: Any) -> Any:
    module, _, integration = name.partition(".")
    return getattr(importlib.import_module(f"sentry_sdk.integrations.{module}"), integration)(**options)


def _optional(name: str, variable: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SettingsError(
            f"settings: {variable} is set, but its packages are not installed; {HOW_TO_INSTALL}"
        ) from None
