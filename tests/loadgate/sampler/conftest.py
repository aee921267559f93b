"""Fixtures of the sampler's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loadgate.sampler.metrics_server import MetricsServer, metrics_server


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with metrics_server() as running:
        yield running
