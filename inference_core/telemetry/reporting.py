"""OpenTelemetry traces and Sentry reports, each only when configured; their packages are optional."""

from __future__ import annotations

import importlib
from types import ModuleType

from inference_core import __version__
from inference_core.settings import Settings, SettingsError

HOW_TO_INSTALL = "install them with: pip install 'inference-core[telemetry]'"


def configure_reporting(settings: Settings) -> bool:
    """Set up what is configured; gives whether traces are exported.

    Raises:
        SettingsError: if something is configured whose packages are not installed.
    """
    if settings.sentry_dsn.get_secret_value():
        _start_sentry(settings)
    if not settings.otel_exporter_otlp_endpoint:
        return False
    _start_tracing(settings)
    return True


def _start_sentry(settings: Settings) -> None:
    sentry = _optional("sentry_sdk", "SENTRY_DSN")
    sentry.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.environment,
        release=f"{settings.app_name}@{__version__}",
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
    )


def _start_tracing(settings: Settings) -> None:
    variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
    api = importlib.import_module("opentelemetry.trace")
    sdk = _optional("opentelemetry.sdk.trace", variable)
    if isinstance(api.get_tracer_provider(), sdk.TracerProvider):
        return  # one for the process, made for an earlier application or by an agent
    export = _optional("opentelemetry.sdk.trace.export", variable)
    otlp = _optional("opentelemetry.exporter.otlp.proto.http.trace_exporter", variable)
    resources = _optional("opentelemetry.sdk.resources", variable)
    resource = resources.Resource.create({"service.name": settings.app_name, "service.version": __version__})
    provider = sdk.TracerProvider(resource=resource)
    endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=endpoint)))
    api.set_tracer_provider(provider)


def _optional(name: str, variable: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SettingsError(
            f"settings: {variable} is set, but its packages are not installed; {HOW_TO_INSTALL}"
        ) from None
