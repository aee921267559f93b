"""Test loadgate's figures in Locust: terminal tables of any width, web UI and HTML report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.preloaded import printed_json

PROGRAM = Path(__file__).with_name("locust_figures_program.py")


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    return printed_json(PROGRAM)


def test_tables_are_printed_on_a_terminal_of_any_width(shown: dict[str, Any]) -> None:
    assert {"0", "20", "40", "80", "84", "200"} <= set(shown["tables"])
    for columns, rows in shown["tables"].items():
        named = [row for row in rows if row.startswith("GET") and "/api/v1/health/database" in row]
        assert len(named) == 3, (columns, rows)
        assert "12346" in named[0]
        assert any("Failed: 404" in row for row in rows), columns


def test_the_web_ui_and_the_html_report_have_rounded_extremes(shown: dict[str, Any]) -> None:
    rows = {row["name"]: (row["min_response_time"], row["max_response_time"]) for row in shown["html"]}
    assert rows["/api/v1/health/database"] == (0.122, 12346)
    assert rows["Aggregated"] == (0.122, 12346)


def test_an_entry_without_requests_has_extremes_of_zero(shown: dict[str, Any]) -> None:
    assert (shown["empty"]["min_response_time"], shown["empty"]["max_response_time"]) == (0, 0)
