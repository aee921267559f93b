"""Fixtures for all tests: real servers, one set for each parallel test process."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import settings

from inference_core.app.stack.redis_server import NoRedisServerError, find_redis_server
from tests.support.lanes import mark, name_group, no_program_starts, start_order
from tests.support.processes import redis_server

# A line for each request that a test makes would bury the reason of a failure.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_PACKAGE = re.compile(r"apt-get install ([\w.+-]+)")


def missing_packages(reasons: Iterable[str]) -> str:
    """Return one line that installs all that skipped tests need, "" where they need nothing."""
    found = [match[1] for reason in reasons if (match := _PACKAGE.search(reason))]
    packages = " ".join(sorted(set(found)))
    return f"{len(found)} tests were skipped; to run them: apt-get install {packages}" if found else ""


def unignore_signals() -> None:
    """Handle the signals that `nohup` or a shell's `&` ignores, because the programs that tests start inherit that.

    A program starts with the default action for a signal that its parent process handles.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line how to run what was skipped, instead of in one for each test."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    if line := missing_packages(reasons):
        terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis try fewer examples in the quick lane, without a time limit, and keep the order of the tests."""
    unignore_signals()
    # Otherwise pytest-xdist begins with the groups that have most tests.
    config.option.loadscopereorder = False
    for name, count in (("quick", 20), ("full", 100)):
        settings.register_profile(name, max_examples=count, deadline=None, database=None)
    settings.load_profile("quick" if config.option.markexpr == "not full" else "full")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test before `-m` selects by the marks, and before pytest-xdist groups by them."""
    if isinstance(item, pytest.Function):
        mark(item)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put tests of parallel runs in the order of `start_order`, and keep groups together."""
    if config.pluginmanager.hasplugin("xdist"):
        items[:] = start_order(items)
    if getattr(config.option, "loadgroup", False):
        for item in items:
            name_group(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Hold the tests that are marked `pure` to it."""
    with no_program_starts() if item.get_closest_marker("pure") else nullcontext():
        return (yield)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, private to this test process."""
    try:
        find_redis_server()
    except NoRedisServerError as error:
        pytest.skip(str(error))
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url
