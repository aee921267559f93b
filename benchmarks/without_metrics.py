"""The service without metrics, for measuring their cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inference_core.app import metrics_watch as watch
from inference_core.app.application import create_application
from inference_core.core.telemetry.metrics import Metrics


def count_nothing(_: Metrics, *__: object) -> None:
    """Replacement of `observe_request`."""


@contextmanager
def measure_nothing(_: Metrics) -> Iterator[None]:
    """Replacement of `measure_loop_lag`."""
    yield


Metrics.observe_request = count_nothing  # type: ignore[method-assign]
watch.measure_loop_lag = measure_nothing
app = create_application()
