"""Which lane a test belongs to."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.lanes import no_program_starts, start_order

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


def item(name: str, *marks: str) -> Any:
    return SimpleNamespace(name=name, get_closest_marker=lambda mark: mark in marks or None)


def test_tests_that_wait_are_spread_among_those_that_compute_and_their_groups_begin_first() -> None:
    computing = [item(f"pure {number}", "pure") for number in range(4)] + [item(f"app {n}", "app") for n in range(4)]
    waiting = [item("alone 1", "process"), item("alone 2", "process"), item("group", "process", "xdist_group")]
    order = [one.name for one in start_order([*computing, *waiting])]
    assert order == [
        *("group", "app 0", "app 1", "alone 1", "app 2", "app 3", "alone 2", "pure 0", "pure 1", "pure 2", "pure 3")
    ]
    assert start_order([]) == []
    assert start_order(waiting[:1]) == waiting[:1]
