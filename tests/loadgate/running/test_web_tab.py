"""Test the Rules tab of Locust's web UI: live state, and the verdict after the run."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tests.loadgate.running.support import FULL, WebUi, document, master_ports, wait_until, web_ui
from tests.loadgate.stub_server import StubServer
from tests.support.browser import launched_browser


def rows(ui: WebUi) -> list[dict[str, Any]]:
    """The rows of the tab, as Locust's page gets them."""
    (table,) = json.loads(ui.get("/stats/requests"))["extended_stats"]
    assert table["key"] == "loadgate"
    return list(table["data"])


def total(ui: WebUi) -> dict[str, Any]:
    """Locust's own figures of all requests."""
    (found,) = [row for row in json.loads(ui.get("/stats/requests"))["stats"] if row["name"] == "Aggregated"]
    return dict(found)


def without_resources(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without that of the target's resources, which appears with their first values."""
    return [row for row in shown if row["rule"] != "resources"]


def state(ui: WebUi) -> dict[str, Any]:
    return dict(json.loads(ui.get("/loadgate/state")))


@pytest.mark.parametrize("base", ["", pytest.param("/load", marks=FULL)])
def test_the_tab_shows_the_live_rules_and_then_the_verdict(tmp_path: Path, stub: StubServer, base: str) -> None:
    stub.delay_s = 0.15
    with web_ui(tmp_path, "--host", stub.url, base=base, LOAD_PROFILE="tight") as (ui, _):
        assert '"key": "loadgate"' in ui.get("/")
        assert rows(ui) == []
        assert state(ui) == {"running": None, "verdict": None}
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ui.get("/loadgate/report")
        ui.start(stub.url)
        wait_until(lambda: "FAIL" in [row["outcome"] for row in rows(ui)], "a rule that is broken")
        (broken,) = [row for row in rows(ui) if row["outcome"] == "FAIL"]
        assert (broken["rule"], broken["limit"]) == ("quick: p95", "< 100 ms")
        assert broken["measured"].endswith(" ms")
        running = state(ui)["running"]
        assert (running["profile"], running["users"]) == ("tight", 4)
        wait_until(lambda: total(ui)["max_response_time"], "Locust's own figures")
        assert total(ui)["min_response_time"] >= stub.delay_s * 1000
        ui.stop()
        wait_until(lambda: state(ui)["verdict"], "the verdict")
        assert rows(ui)[0]["outcome"] == "FAIL"
        last = rows(ui)[-1]
        assert (last["rule"], last["outcome"]) == ("the run", "FAIL")
        assert re.fullmatch(r"quick p95 [\d.,]+ ms \(limit 100 ms\)", last["why"])
        assert "</html>" in ui.get("/loadgate/report")
        ui.start(stub.url)
        wait_until(lambda: rows(ui) and rows(ui)[-1]["rule"] != "the run", "the next run")


def test_the_rules_are_shown_until_the_verdict_and_the_page_keeps_polling(tmp_path: Path, stub: StubServer) -> None:
    with web_ui(tmp_path, "--host", stub.url, LOAD_PROFILE="tight") as (ui, _):
        ui.start(stub.url)
        wait_until(lambda: len(without_resources(rows(ui))) == 2, "the rules")
        stub.delay_s = 1.0  # so that the end waits for answers
        stopping = threading.Thread(target=ui.stop)
        stopping.start()
        seen: list[tuple[str, int]] = []
        while not seen or seen[-1][0] != "stopped":
            answer = json.loads(ui.get("/stats/requests"))
            (table,) = answer["extended_stats"]
            seen.append((answer["state"], len(without_resources(table["data"]))))
        stopping.join(30)
        assert seen[-1] == ("stopped", 3), seen  # the verdict has a row for the run
        assert {count for _, count in seen} <= {2, 3}, seen


@pytest.mark.full
def test_another_profile_in_the_web_ui_is_refused(tmp_path: Path, stub: StubServer) -> None:
    form = {"user_count": 4, "spawn_rate": 20, "host": stub.url, "run_time": "1m"}
    with web_ui(tmp_path, "--host", stub.url, LOAD_PROFILE="roomy") as (ui, _):
        page = ui.get("/")
        assert '"profile": "roomy"' in page
        for typed, says in {
            "tight": "start Locust with LOAD_PROFILE=tight",
            "nonsense": "there is no profile 'nonsense'; known profiles: roomy, tight",
            "Roomy": "there is no profile 'Roomy'",
        }.items():
            answer = ui.swarm(**form, profile=typed)
            assert answer["success"] is False
            assert answer["message"].startswith("Profile: this Locust process runs the load profile 'roomy'"), answer
            assert says in answer["message"]
        assert (state(ui)["running"], stub.total) == (None, 0)
        assert ui.swarm(**form, profile="roomy")["success"]
        wait_until(lambda: state(ui)["running"], "the run")
        assert ui.swarm(**form, profile="")["success"]


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=FULL)])
def test_an_edit_of_the_users_starts_a_ramp(tmp_path: Path, stub: StubServer, processes: int) -> None:
    several = ["--processes", "2", *master_ports()] if processes == 2 else []
    with web_ui(tmp_path, "--host", stub.url, *several, LOAD_PROFILE="roomy") as (ui, _):

        def is_steady_with(users: int) -> bool:
            running = state(ui)["running"]
            return running is not None and (running["users"], running["stage"]) == (users, "steady")

        ui.start(stub.url)
        wait_until(lambda: is_steady_with(4), "the load")
        ui.start(stub.url, users=10, spawn_rate=3)
        wait_until(lambda: is_steady_with(10), "the load that was asked for then")
        ui.stop()
        wait_until(lambda: state(ui)["verdict"], "the verdict")
    run = document(tmp_path)
    assert [stage for _, stage in run["stages"]] == ["ramp", "steady", "ramp", "steady"]
    assert (run["run"]["ending"], run["run"]["ended_by"]) == ("interrupted", "interrupt")


@pytest.mark.full
def test_a_browser_shows_the_tab(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    started = web_ui(tmp_path, "--host", stub.url, LOAD_PROFILE="tight")
    with started as (ui, _), launched_browser() as browser:
        ui.start(stub.url)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(ui.base)
        page.get_by_role("tab", name="Rules").click()
        page.get_by_text("quick: p95").wait_for()
        page.get_by_role("cell", name="FAIL", exact=True).wait_for()
        for title in ("Rule", "Limit", "Measured", "Samples", "Outcome", "Why"):
            page.get_by_role("columnheader", name=title, exact=True).wait_for()
        page.get_by_role("tab", name="Download Data").click()
        assert page.get_by_text("Download load gate report").get_attribute("href") == "./loadgate/report"
