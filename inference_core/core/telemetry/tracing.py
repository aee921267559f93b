"""Traces with the OpenTelemetry SDK over OTLP. This module is imported only if traces are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from inference_core import __version__
from inference_core.core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context

QUERY = "url.query"


class WithoutQuery(SpanProcessor):
    """A span processor that removes the query of each request, which can contain secrets."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  # the interface's
        """Redact the query before the export."""
        if QUERY in (span.attributes or {}):
            span.set_attribute(QUERY, "REDACTED")


def start(settings: Settings) -> None:
    """Export the spans of this process and of its forks to the configured endpoint."""
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return  # of an earlier application in this process, or of an agent
    resource = Resource.create({"service.name": settings.app_name, "service.version": __version__})
    provider = TracerProvider(resource=resource)
    endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(WithoutQuery())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)


def flush(timeout_s: float) -> None:
    """Export the recorded spans, within `timeout_s`."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(int(timeout_s * 1000))
