"""Exemplars, distinct failures, and exceptions of user code."""

from __future__ import annotations

from pydantic import Field

from loadgate.run.document.parts import Count, Part, Positive, Text


class ExemplarRecord(Part):
    """An exemplar: one request that is kept as an example."""

    group: Text = Field(description="Empty if the request has no group.")
    name: Text
    start_s: float = Field(description="Epoch seconds of the start or, in an open model, of the intended start.")
    latency_ms: Positive = Field(description="Time from start_s to the end of the response.")
    trace_id: Text = Field(
        description="The trace id of the W3C traceparent header, 32 hexadecimal digits; empty without this header."
    )
    request_id: Text = Field(
        description=(
            "The value of X-Request-ID, X-Correlation-ID or Request-Id in the response; empty without such a header or "
            "without a response."
        )
    )
    detail: Text = Field(
        default="",
        exclude_if=lambda detail: not detail,
        description=(
            "The message in the JSON body of the response to a failed request: its `detail`, `message` or `error`, at "
            "most 200 bytes; absent without one."
        ),
    )


class ErrorRecord(Part):
    """One distinct failure."""

    name: Text
    text: Text
    count: Count
    first_s: float = Field(description="Epoch seconds.")
    last_s: float = Field(description="Epoch seconds.")
    examples: list[ExemplarRecord] = Field(max_length=3, description="The failed requests that ended first.")

    @property
    def detail(self) -> str:
        """Return what the first response with a message says. "" if none says anything."""
        return next((example.detail for example in self.examples if example.detail), "")


class ExceptionRecord(Part):
    """An exception that user code raised outside of requests."""

    text: Text
    traceback: Text
    count: Count
