"""Exemplars, distinct failures, and exceptions of user code."""

from __future__ import annotations

from pydantic import Field

from loadgate.run.document.parts import Count, Part, Positive, Text


class ExemplarRecord(Part):
    """An exemplar: one request that is kept as an example."""

    group: Text = Field(description="Empty for none.")
    name: Text
    start_s: float = Field(description="Epoch seconds of its start or, in an open model, of its intended start.")
    latency_ms: Positive = Field(description="From start_s on.")
    trace_id: Text = Field(
        description="The trace id of its W3C traceparent header, 32 hexadecimal digits; empty if it had none."
    )
    request_id: Text = Field(
        description=(
            "The value of X-Request-ID, X-Correlation-ID or Request-Id in its response; empty without such a header or"
            " without a response."
        )
    )


class ErrorRecord(Part):
    """One distinct failure."""

    name: Text
    text: Text
    count: Count
    first_s: float = Field(description="Epoch seconds.")
    last_s: float = Field(description="Epoch seconds.")
    examples: list[ExemplarRecord] = Field(max_length=3, description="The first of them to end.")


class ExceptionRecord(Part):
    """An exception that user code raised outside of requests."""

    text: Text
    traceback: Text
    count: Count
