"""Test the OTLP data of a run with Locust's --otel, as a receiver gets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.loadgate.running.support import document, locust
from tests.loadgate.stub_server import StubServer


class Receiver:
    """Receives exports over OTLP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: set[str] = set()

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    self.spans += [span for span in scope.spans if scope.scope.name == "loadgate"]
        if path == "/v1/metrics":
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {metric.name for scope in measured.scope_metrics for metric in scope.metrics}


@contextmanager
def receiver() -> Iterator[tuple[str, Receiver]]:
    taken = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_every_request_is_a_span_in_the_trace_that_its_header_names(tmp_path: Path, stub: StubServer) -> None:
    stub.fail_every = 5
    with receiver() as (endpoint, taken):
        environment = {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        done = locust(tmp_path, "--host", stub.url, "-t", "3s", "--otel", LOAD_PROFILE="roomy", **environment)
    run = document(tmp_path)
    total = run["totals"]["overall"]
    assert len(taken.spans) == total["requests"], done.stderr
    failed = [span for span in taken.spans if span.status.code == Status.STATUS_CODE_ERROR]
    assert len(failed) == total["failures"] > 0
    by_trace = {span.trace_id.hex(): span for span in taken.spans}
    assert len(by_trace) == len(taken.spans)
    assert {header.split("-")[1] for header in stub.traceparents} == set(by_trace)
    for request in run["slowest"]:
        span = by_trace[request["trace_id"]]
        assert span.kind == Span.SPAN_KIND_CLIENT
        # It ends when the response has been read, which on a busy machine is later than its arrival.
        assert (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6 > request["latency_ms"] - 1
    assert {span.name for span in taken.spans} == {"GET Quick - Ping", "GET /plain"}
    assert "locust.client.duration" in taken.metrics


def test_without_otel_nothing_is_exported(tmp_path: Path, stub: StubServer) -> None:
    with receiver() as (endpoint, taken):
        locust(tmp_path, "--host", stub.url, "-t", "1s", LOAD_PROFILE="roomy", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert not taken.spans
    assert not taken.metrics
    assert len(set(stub.traceparents)) == len(stub.traceparents) > 0
