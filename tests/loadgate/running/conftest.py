"""Fixtures for whole runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loadgate.stub_server import StubServer, stub_server


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with stub_server() as server:
        yield server
