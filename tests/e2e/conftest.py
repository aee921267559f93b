"""One running stack, shared by the tests that only read from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, clean_environment, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = clean_environment(ALLOW_LIVE_LLM="0", LLM_PROVIDER_MODE="simulated", LLM_API_ACCESS_MODE="public")
    with running_stack(tmp_path_factory.mktemp("stack"), "--port", "0", "--ephemeral", env=env) as running:
        yield running
