"""OpenTelemetry traces and Sentry reports, each only when configured; their packages are optional.

The same for API processes and workers. Neither is told what a caller sent: no body, no query, no credentials.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from inference_core import __version__
from inference_core.settings import Settings, SettingsError

HOW_TO_INSTALL = "install them with: poetry install -E telemetry"
TRACING_PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
TRACING = "inference_core.telemetry.tracing"
FLUSH_TIMEOUT_S = 2.0


def configure_reporting(settings: Settings) -> bool:
    """Set up what is configured; gives whether traces are exported.

    Raises:
        SettingsError: if something is configured whose packages are not installed.
    """
    if settings.sentry_dsn.get_secret_value():
        _start_sentry(settings)
    if not settings.otel_exporter_otlp_endpoint:
        return False
    for name in TRACING_PACKAGES:
        _optional(name, "OTEL_EXPORTER_OTLP_ENDPOINT")
    importlib.import_module(TRACING).start(settings)
    return True


def flush_reporting() -> None:
    """Send what is still to be sent, for at most `FLUSH_TIMEOUT_S` each; blocks.

    Servers and workers end by signal, so that nothing would do it at the interpreter's exit.
    """
    if tracing := sys.modules.get(TRACING):
        tracing.flush(FLUSH_TIMEOUT_S)
    if sentry := sys.modules.get("sentry_sdk"):
        sentry.flush(timeout=FLUSH_TIMEOUT_S)


def _start_sentry(settings: Settings) -> None:
    sentry = _optional("sentry_sdk", "SENTRY_DSN")
    names = ("starlette.StarletteIntegration", "fastapi.FastApiIntegration", "celery.CeleryIntegration")
    # Exceptions are reported where they end; the log's lines would report them twice, and carry names and addresses.
    no_lines = _integration("logging.LoggingIntegration", level=None, event_level=None)
    sentry.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.environment,
        release=f"{settings.app_name}@{__version__}",
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        # What else is installed does not decide what is recorded: prompts sent to a provider, for one.
        auto_enabling_integrations=False,
        integrations=[no_lines, *(_integration(name) for name in names)],
        before_send=without_query,
    )


def without_query(event: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
    """The event without the request's query: people put secrets there."""
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
