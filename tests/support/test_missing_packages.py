"""What a newcomer's test run prints: one line on what to install, and no line for each request."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from tests.conftest import missing_packages, pytest_terminal_summary


def test_one_line_names_each_package_once() -> None:
    reasons = [
        "MariaDB is not installed; on Debian: apt-get install mariadb-server",
        "no Chromium found; install it, for example: apt-get install chromium",
        "no Chromium found; install it, for example: apt-get install chromium",
        "only Linux ends children whose parent was killed outright",
    ]
    assert missing_packages(reasons) == "3 tests were skipped; to run them: apt-get install chromium mariadb-server"
    assert missing_packages(reasons[3:]) == ""


def test_the_line_ends_a_run_that_skipped_tests() -> None:
    lines: list[str] = []
    skipped = SimpleNamespace(longrepr="('test_pages.py', 1, 'Skipped: no Chromium found: apt-get install chromium')")
    for stats in ({"skipped": [skipped]}, {}):
        pytest_terminal_summary(SimpleNamespace(stats=stats, write_line=lines.append))
    assert lines == ["1 tests were skipped; to run them: apt-get install chromium"]


def test_requests_of_tests_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):  # as the service's own set-up has it
        logging.getLogger("httpx2").info("HTTP Request: GET")
    assert caplog.messages == []
