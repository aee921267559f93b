"""Test suites of other projects: recorded figures equal Locust's, and the record names the cause of the end."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from loadgate.units import duration
from tests.loadgate.running.support import (
    ERROR,
    FAIL,
    FULL,
    INCONCLUSIVE,
    PASS,
    SUITE,
    assert_artefacts,
    document,
    finish,
    locust_command,
    master_ports,
    rule_of,
    run_folder,
)
from tests.loadgate.stub_server import PIECE_S, PIECES, StubServer

FOREIGN = SUITE.with_name("foreign.py")


def foreign(
    folder: Path, stub: StubServer, profile: str, *options: str, before: Sequence[str] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """Run plain Locust with the foreign suite. `before` is a command that runs it."""
    command = [str(FOREIGN) if part == str(SUITE) else part for part in locust_command(*options)]
    return finish([*before, *command, "--host", stub.url], folder, LOAD_PROFILE=profile, **env)


@pytest.mark.parametrize("processes", [[], pytest.param(["--processes", "2"], marks=FULL)])
def test_every_request_is_recorded_despite_failing_listeners_and_blocks(
    tmp_path: Path, stub: StubServer, processes: list[str]
) -> None:
    more = ["-t", "4s", *processes, *master_ports()] if processes else []
    done = foreign(tmp_path, stub, "recorded", *more)
    assert done.returncode == FAIL, done.stdout + done.stderr
    run = document(tmp_path)
    # A user may end before it has done each of its tasks.
    sent = {path: number for path, number in stub.received.items() if path != "/cart"}
    found: Counter[str] = Counter()
    for request in run["totals"]["requests"]:
        found[request["name"]] += request["requests"]
        if request["name"].startswith(("GET /fail", "GET /parsed", "POST")):
            assert request["failures"] == request["requests"], request["name"]
    # Listeners that steer the task by raising, and exceptions that leave a block.
    assert {path: found[f"GET {path}"] for path in sent if path != "/fail/cart"} == {
        path: number for path, number in sent.items() if path != "/fail/cart"
    }
    # One name with two methods, of classes that are no BaseUser and have groups all the same.
    assert (found["GET cart"], found["POST cart"]) == (stub.received["/cart"], stub.received["/fail/cart"])
    assert {item["group"] for item in run["totals"]["requests"]} >= {"Shop", "admin", "fast", "FastAsserting", "own"}
    assert {error["name"] for error in run["errors"]} >= {"POST cart", "lost", "chars", "GET /fail/fast"}
    # Events fired by hand: of two types, without a time, and figures that are no requests.
    by_hand = {item["name"]: item for item in run["totals"]["requests"] if item["group"] == "own"}
    assert by_hand["WSR call"]["success_ms"]["max"] == 20
    untimed = by_hand["WSS call"]
    assert set(untimed["success_ms"].values()) == {None}
    assert {by_hand[name]["failures"] for name in ("lost", "chars")} == {untimed["requests"]}
    assert by_hand["tokens"]["kind"] == "measure"
    fired = sum(item["requests"] for item in by_hand.values() if item["kind"] == "request")
    assert run["totals"]["overall"]["requests"] == stub.total + fired
    outcomes = {rule["scope"]: rule["outcome"] for rule in run["verdict"]["rules"]}
    assert outcomes == {"WSS call": "inconclusive", "admin": "pass", "POST cart": "fail", "tokens": "pass"}
    assert "has a response time" in rule_of(run, "WSS call")["reason"]
    assert not [note for note in run["verdict"]["notes"] if "overall counts" in note]
    assert_rebuilt_alike(tmp_path)


def assert_rebuilt_alike(folder: Path) -> None:
    """Write every artefact again from run.json."""
    from loadgate.report.artefacts import RUN_FILES
    from loadgate.run.document import read_run

    made = run_folder(folder)
    before = {path.name: path.read_text() for path in made.iterdir() if path.name != "run.json"}
    RUN_FILES.rebuild(read_run(made), made)
    assert before == {path.name: path.read_text() for path in made.iterdir() if path.name != "run.json"}


def test_a_pass_that_needs_undeclared_events_is_inconclusive(tmp_path: Path, stub: StubServer) -> None:
    done = foreign(tmp_path, stub, "mixed")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    run = document(tmp_path)
    rule = rule_of(run, "overall")
    assert rule["value"] < 10
    assert "with the HTTP requests alone, failures were" in rule["reason"]
    figures = 3 * stub.total
    (note,) = run["verdict"]["notes"]
    assert note.startswith(f"overall counts {stub.total} HTTP requests and {figures} of type FIGURE; ")


def test_a_streamed_response_is_timed_until_its_user_has_read_it(tmp_path: Path, stub: StubServer) -> None:
    foreign(tmp_path, stub, "streaming", "-t", "3s")
    run = document(tmp_path)
    least_ms = PIECES * PIECE_S * 1000
    found = {item["name"]: item for item in run["totals"]["requests"]}
    for name in ("requests", "requests content", "fast", "base"):
        if name in found:
            # The task sleeps for 300 ms when it has read the answer.
            assert least_ms <= found[name]["success_ms"]["min"] < least_ms + 300, name
    assert {"fast", "base"} <= found.keys()
    (note,) = [note for note in run["verdict"]["notes"] if "streamed" in note]
    unread = {name: item for name, item in found.items() if name.endswith(("left", "no block"))}
    assert unread
    for name, item in unread.items():
        assert f"{item['requests']} of {name}" in note
        assert item["success_ms"]["min"] < least_ms, name


def test_a_streamed_response_that_the_end_of_the_run_cuts_off_is_a_failure(tmp_path: Path, stub: StubServer) -> None:
    foreign(tmp_path, stub, "endless", "--stop-timeout", "1")
    run = document(tmp_path)
    found = {item["name"]: (item["requests"], item["failures"]) for item in run["totals"]["requests"]}
    assert found == dict.fromkeys(("requests", "fast", "base"), (1, 1))
    assert {error["text"] for error in run["errors"]} == {"no end of the answer when the run ended"}


def test_failing_listeners_prevent_a_pass_and_their_exit_code_is_printed(tmp_path: Path, stub: StubServer) -> None:
    listeners = ["test_start:break_down", "test_start:wait", "test_stop:break_down", "quitting:break_down"]
    done = foreign(tmp_path, stub, "plain", "-t", "1s", TEST_LISTENERS=" ".join([*listeners, "quitting:set_code"]))
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    run = document(tmp_path)
    assert run["verdict"]["exit_code"] == INCONCLUSIVE
    text = "listener break_down: RuntimeError: the database could not be seeded"
    assert [item["text"] for item in run["exceptions"]] == [
        f"{name} {text}" for name in ("test_start", "test_stop", "quitting")
    ]
    assert "loadgate: the suite set exit code 1; the verdict's exit code 98 is used\n" in done.stdout
    # What the listeners took is no part of the run, which ran its full time.
    assert (run["run"]["ending"], run["run"]["ended_by"]) == ("completed", "time")
    assert 0.9 <= run["run"]["duration_s"] < 1 + 1.5
    (waited_until_s,) = re.findall(r"^waited until (\S+)$", done.stderr, re.MULTILINE)
    assert datetime.fromisoformat(run["run"]["started_at"]).timestamp() > float(waited_until_s) - 0.01
    assert run["totals"]["overall"]["requests"] == stub.total > 5


def test_an_exit_code_that_a_listener_sets_is_not_used_and_said(tmp_path: Path, stub: StubServer) -> None:
    done = foreign(tmp_path, stub, "plain", "-t", "1s", TEST_LISTENERS="quitting:set_code")
    assert done.returncode == PASS, done.stdout + done.stderr
    assert document(tmp_path)["verdict"]["exit_code"] == PASS
    assert "loadgate: the suite set exit code 1; the verdict's exit code 0 is used\n" in done.stdout


def test_a_suite_that_takes_every_descriptor_leaves_those_for_the_verdict(tmp_path: Path, stub: StubServer) -> None:
    limited = ["bash", "-c", 'ulimit -n 90; exec "$@"', "-"]
    listeners = "spawning_complete:take_all_descriptors"
    done = foreign(tmp_path, stub, "plain", "-t", "2s", before=limited, TEST_LISTENERS=listeners)
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert_artefacts(tmp_path)
    run = document(tmp_path)
    assert (run["run"]["ending"], run["run"]["ended_by"]) == ("completed", "time")
    assert (run["totals"]["overall"]["requests"], stub.total) == (0, 0)
    assert any("ran out of open files" in note for note in run["verdict"]["notes"])


@pytest.mark.parametrize(
    ("listeners", "options", "line"),
    [
        ("test_start:quit_at_once", [], "a test_start listener of the suite stopped the run"),
        pytest.param(
            "test_start:quit_at_once",
            ["--processes", "1"],
            "a test_start listener of the suite stopped the run",
            marks=FULL,
        ),
        ("test_start:stop_at_once", [], "a test_start listener of the suite stopped the run"),
        ("test_start:exit_at_once", [], "the test_start listener exit_at_once called sys.exit(4)"),
        ("init:quit_at_once", [], "the run was stopped before its start"),
    ],
)
def test_a_run_that_a_suite_stops_before_the_load_ends_with_one_line(
    tmp_path: Path, stub: StubServer, listeners: str, options: list[str], line: str
) -> None:
    began = time.monotonic()
    more = [*options, *(master_ports() if options else [])]
    done = foreign(tmp_path, stub, "long", *more, TEST_LISTENERS=listeners)
    assert time.monotonic() - began < 60
    assert done.returncode == ERROR, done.stdout + done.stderr
    assert f"loadgate: no load was generated: {line}\n" in done.stderr
    assert not stub.total
    assert not list(tmp_path.glob("reports/performance/runs/*"))


@pytest.mark.parametrize("options", [[], pytest.param(["--processes", "2", "-u", "2"], marks=FULL)])
def test_a_run_that_its_suite_stops_is_judged_by_its_measurements(
    tmp_path: Path, stub: StubServer, options: list[str]
) -> None:
    done = foreign(tmp_path, stub, "quitting", *options, *(master_ports() if options else []))
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    assert (run["run"]["ending"], run["run"]["ended_by"]) == ("completed", "suite")
    (note,) = run["verdict"]["notes"]
    assert note == f"the suite stopped the run after {duration(run['run']['duration_s'])} of 1 min"
    assert run["totals"]["overall"]["requests"] == stub.total >= 10
    assert "Stopped by the suite after" in (run_folder(tmp_path) / "report.html").read_text()


def test_a_load_shape_decides_when_the_run_is_over(tmp_path: Path, stub: StubServer) -> None:
    done = foreign(tmp_path, stub, "long", TEST_SHAPE="1.5", TEST_LISTENERS="quitting:exit_at_once")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)["run"]
    assert (run["ending"], run["ended_by"], run["planned_s"], run["users"]) == ("completed", "shape", None, None)
    assert 1.5 <= run["duration_s"] < 30
    assert not document(tmp_path)["verdict"]["notes"]
    assert "loadgate: the suite set exit code 4; the verdict's exit code 0 is used\n" in done.stdout


def test_an_explicit_run_time_ends_a_longer_load_shape(tmp_path: Path, stub: StubServer) -> None:
    done = foreign(tmp_path, stub, "long", "-t", "1s", TEST_SHAPE="60")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)["run"]
    assert (run["ending"], run["ended_by"], run["planned_s"]) == ("completed", "time", 1)
    assert 0.9 <= run["duration_s"] < 30
