"""Which lane a test belongs to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.lanes import no_program_starts

pytestmark = pytest.mark.pure


def marks(request: pytest.FixtureRequest) -> set[str]:
    return {mark.name for mark in request.node.iter_markers()} & {"pure", "app", "process", "full"}


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mariadb"])
def test_only_databases_that_setup_does_not_install_are_left_to_the_full_lane(
    request: pytest.FixtureRequest, database: str
) -> None:
    assert marks(request) == ({"pure"} if database == "sqlite" else {"pure", "full"})


def test_a_pure_test_that_starts_a_program_fails() -> None:
    with pytest.raises(AssertionError, match=r"marked pure starts programs.*-c pass"), no_program_starts():
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    with no_program_starts():
        sum(range(3))
