"""What a test starts (`pure`, `app`, `process`), whether only the full lane runs it (`full`), and beside which others.

A mark that a test or its module carries decides; a test without one gets it here, by its fixtures and by what its
module imports. A test that is marked `pure` fails if it starts a program. Tests that share a server, of their module or
a database server, run in one of the parallel test processes, so that it is started once.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

KINDS = ("pure", "app", "process")
# Programs that `make setup` does not install, by the fixture or parameter that asks for them.
NOT_INSTALLED = {"postgresql", "mariadb", "browser"}
PROCESS_FIXTURES = {"own_redis", "server", "stack", *NOT_INSTALLED}
APP_FIXTURES = {"api", "start_app", "start_server", "service_settings", "database_url", "redis_url"}
# What starts programs: functions of tests.support, and the module they use.
STARTERS = {
    "api_process",
    "worker_process",
    "running_stack",
    "start_stack",
    "stub_service",
    "locust",
    "finish",
    "printed_json",
    "web_ui",
    "Started",
    "preloaded",
    "redis_server",
    "subprocess",
}
# They end at once, and any run document asks for them: what commit and what machine it is of.
HARMLESS = {"git", "uname"}

LAST_WAITING = 0.75
"""The place in a parallel run, as a share of it, after which no test begins that starts programs."""

_started: list[str] = []
_hooks: list[object] = []


def mark(item: pytest.Function) -> None:
    """Give a test the marks that it does not carry."""
    server = needed_server(item)
    if server:
        item.add_marker("full")
    if not any(item.get_closest_marker(kind) for kind in KINDS):
        item.add_marker(kind_of(item))
    group = server or shared_module(item)
    if group and not item.get_closest_marker("xdist_group"):
        item.add_marker(pytest.mark.xdist_group(group))


def needed_server(item: pytest.Function) -> str | None:
    """The fixture or parameter of the test that names a program which `make setup` does not install."""
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec else ()
    named = {value for value in values if isinstance(value, str)} | set(item.fixturenames)
    return min(NOT_INSTALLED & named, default=None)


def shared_module(item: pytest.Function) -> str | None:
    """The module of the test, if a fixture is set up once for all of its tests."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    shares = any(definitions[-1].scope == "module" for definitions in fixtures)
    return item.module.__name__ if shares else None


def start_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the order in which parallel test processes begin the tests.

    Tests that start programs mostly wait, so they are spread among those that compute. Groups of them begin first, then
    those with a long time limit, which take longest. The last quarter has none: a run that ends with a long test has
    idle processes.
    """
    waiting = [item for item in items if item.get_closest_marker("process")]
    waiting.sort(key=lambda item: (item.get_closest_marker("xdist_group") is None, -own_time_limit_s(item)))
    computing = [item for item in items if not item.get_closest_marker("process")]
    computing.sort(key=lambda item: item.get_closest_marker("app") is None)
    placed = [(LAST_WAITING * place / len(waiting), item) for place, item in enumerate(waiting)]
    placed += [(place / len(computing), item) for place, item in enumerate(computing)]
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]


def own_time_limit_s(item: pytest.Item) -> float:
    """The time limit that the test or its module sets; 0 if it has the usual one."""
    timeout = item.get_closest_marker("timeout")
    return float(timeout.args[0]) if timeout else 0.0


def name_group(item: pytest.Item) -> None:
    """Append the group to the name of a test, by which the controller of pytest-xdist finds it.

    pytest-xdist 3.8 does so itself, but sets an attribute that pytest 9.2 does not read.
    """
    group = item.get_closest_marker("xdist_group")
    if group and "@" not in item.nodeid.rpartition("]")[2]:
        name = group.args[0] if group.args else group.kwargs["name"]
        item._id = type(item.id).parse(f"{item.nodeid}@{name}")


def kind_of(item: pytest.Function) -> str:
    """What the test starts, judged by its fixtures and the names in its module."""
    fixtures = set(item.fixturenames)
    if fixtures & PROCESS_FIXTURES or STARTERS & set(vars(item.module)):
        return "process"
    return "app" if fixtures & APP_FIXTURES else "pure"


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and arguments[0] not in HARMLESS:
        _started.append(subprocess.list2cmdline(map(str, arguments[1])))


@contextmanager
def no_program_starts() -> Iterator[None]:
    """Refuse, at the end, that the block started a program.

    Raises:
        AssertionError: with the command lines of the programs.
    """
    if not _hooks:
        # An audit hook cannot be removed: one serves the whole test process.
        sys.addaudithook(_note)
        _hooks.append(_note)
    _started.clear()
    yield
    assert not _started, f"a test marked pure starts programs; mark it `process`: {_started}"
