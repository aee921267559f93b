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


def item(name: str, *marks: str, timeout: float | None = None) -> Any:
    found = dict.fromkeys(marks, SimpleNamespace()) | ({"timeout": SimpleNamespace(args=(timeout,))} if timeout else {})
    return SimpleNamespace(name=name, get_closest_marker=found.get)


def test_tests_that_wait_are_spread_among_those_that_compute_the_longest_first() -> None:
    computing = [item(f"pure {number}", "pure") for number in range(4)] + [item(f"app {n}", "app") for n in range(4)]
    waiting = [item("alone", "process"), item("long", "process", timeout=600), item("group", "process", "xdist_group")]
    order = [one.name for one in start_order([*computing, *waiting])]
    assert order == [
        *("group", "app 0", "app 1", "long", "app 2", "app 3", "alone", "pure 0", "pure 1", "pure 2", "pure 3")
    ]
    assert start_order([]) == []
    assert start_order(waiting[:1]) == waiting[:1]
