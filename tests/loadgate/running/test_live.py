"""Test the live view of `loadgate run` on terminals of several sizes and without a terminal."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.loadgate.running.support import (
    FAIL,
    FULL,
    INCONCLUSIVE,
    PASS,
    Started,
    assert_artefacts,
    clean_env,
    document,
    loadgate_command,
    locust,
    wait_until,
)
from tests.loadgate.running.test_loadgate_run import project
from tests.loadgate.stub_server import StubServer
from tests.support.terminal import Terminal, behind_make


def terminal(folder: Path, *arguments: str, columns: int = 80, lines: int = 24, **env: str) -> Terminal:
    """Run `loadgate run` on a terminal."""
    project(folder)
    environment = clean_env(**{"TERM": "xterm-256color"} | env)
    for name in {"CI", "NO_COLOR"} - set(env):
        environment.pop(name, None)
    return Terminal(loadgate_command("run", *arguments), folder, environment, columns, lines)


def shows_rules(rows: list[str]) -> bool:
    text = "\n".join(rows)
    return bool(re.search(r"quick p95 +1\d\d < 100 ms", text)) and "overall failures" in text


@pytest.mark.parametrize(
    ("columns", "lines"), [pytest.param(100, 30, marks=FULL), (40, 12), pytest.param(24, 8, marks=FULL)]
)
def test_the_view_is_drawn_in_place_and_removed_at_the_end(
    tmp_path: Path, stub: StubServer, columns: int, lines: int
) -> None:
    stub.delay_s = 0.15
    with terminal(tmp_path, "tight", "-t", "5s", "--host", stub.url, columns=columns, lines=lines) as shown:
        rows = shown.wait_for(lambda rows: any("4 users" in row for row in rows), "the users")
        if columns >= 40:
            rows = shown.wait_for(shows_rules, "the rules")
            assert sum("overall failures" in row for row in rows) == 1
            assert any("left" in row and "tight" in row for row in rows)
        assert len(rows) <= lines
        assert shown.wait() == FAIL
        after = "\n".join(shown.rows())
        assert " left" not in after
        everything = shown.everything()
        verdict = re.compile(r"FAIL:quickp95[\d,]+ms\(limit100ms\)\(exitcode99\)")
        assert len(verdict.findall("".join(everything.split()))) == 1
        assert "users ·" not in everything
        assert not shown.modes_changed()
        assert "\x1b[?" not in shown.raw


@pytest.mark.full
def test_a_resized_terminal_is_redrawn(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    with terminal(tmp_path, "tight", "-t", "20s", "--host", stub.url, columns=100) as shown:
        shown.wait_for(shows_rules, "the rules")
        for columns, lines in ((40, 12), (90, 30)):
            shown.resize(columns, lines)
            rows = shown.wait_for(
                lambda rows, columns=columns: shows_rules(rows) and max(map(len, rows)) <= columns, "the view anew"
            )
            assert sum("overall failures" in row for row in rows) == 1
            assert sum("users ·" in row for row in rows) == 1
        shown.press_ctrl_c()
        assert shown.wait() in {FAIL, INCONCLUSIVE}


@pytest.mark.full
def test_ctrl_c_removes_the_view_and_prints_the_verdict(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    with terminal(tmp_path, "tight", "-t", "60s", "--host", stub.url) as shown:
        shown.wait_for(shows_rules, "the rules")
        shown.press_ctrl_c()
        assert shown.wait() in {FAIL, INCONCLUSIVE}
        text = shown.everything()
        assert "the run was interrupted after" in text
        assert "users ·" not in text
        assert not shown.modes_changed()


@pytest.mark.full
def test_lines_of_locust_are_printed_above_the_view(tmp_path: Path, stub: StubServer) -> None:
    with terminal(tmp_path, "raising", "-t", "6s", "--host", stub.url) as shown:
        shown.wait_for(lambda rows: any("users ·" in row for row in rows), "the view")
        rows = shown.wait_for(lambda rows: sum("the scenario is broken" in row for row in rows) > 1, "log lines")
        shown.wait()
        text = shown.everything()
    assert sum("users ·" in row for row in rows) == 1
    assert "users ·" not in text
    # Each line of the log is complete.
    broken = [line for line in text.splitlines() if line.endswith("RuntimeError: the scenario is broken")]
    assert len(broken) > 1
    assert all(line.startswith("RuntimeError") for line in broken)


@pytest.mark.full
@pytest.mark.parametrize(
    ("variable", "columns", "lines"),
    [
        pytest.param("CI", 80, 24, marks=FULL),
        ("NO_COLOR", 40, 8),
        pytest.param("TERM", 20, 8, marks=FULL),
        pytest.param("CI", 200, 40, marks=FULL),
    ],
)
def test_plain_lines_on_request(tmp_path: Path, stub: StubServer, variable: str, columns: int, lines: int) -> None:
    stub.delay_s = 0.15
    value = "dumb" if variable == "TERM" else "1"
    environment = clean_env(TERM="xterm") | {variable: value}
    project(tmp_path)
    for name in {"CI", "NO_COLOR"} - {variable}:
        environment.pop(name, None)
    command = loadgate_command("run", "tight", "-t", "60s", "--host", stub.url)
    with Terminal(command, tmp_path, environment, columns, lines) as shown:
        line = re.compile(r"\d:\d\d/1:00\|steady\|4users.*FAIL:quickp95[\d,]+ms<100ms")
        shown.wait_for(lambda _: line.search("".join(shown.everything().split())), "a line")
        shown.press_ctrl_c()
        assert shown.wait() == FAIL
        text = "".join(shown.everything().split())
        assert "(exitcode99)" in text
        assert ("RULELIMITMEASURED" in text) == (columns >= 80)
        assert "\x1b" not in shown.raw


def test_without_a_terminal_lines_are_printed_at_intervals(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    project(tmp_path)
    line = re.compile(
        r"^\d:\d\d/1:00 \| steady \| 4 users \| \d+ requests .*\n  FAIL: quick p95 [\d,]+ ms < 100 ms$", re.MULTILINE
    )
    with Started(loadgate_command("run", "tight", "-t", "60s", "--host", stub.url), tmp_path) as run:
        wait_until(lambda: line.search(run.output), "a line")
        run.signal(signal.SIGINT)
        assert run.wait() == FAIL, run.output
        assert "\x1b" not in run.output


@pytest.mark.full
@pytest.mark.parametrize("kind", ["xterm", pytest.param("dumb", marks=FULL)])
def test_a_closed_terminal_ends_the_run_and_loses_nothing(tmp_path: Path, stub: StubServer, kind: str) -> None:
    with terminal(tmp_path, "roomy", "-t", "60s", "--host", stub.url, TERM=kind) as shown:
        shown.wait_for(lambda rows: re.search(r"4 users.* \d\d+ requests", "\n".join(rows)), "the load")
        shown.close()
        assert shown.process.wait(30) == INCONCLUSIVE
    assert_artefacts(tmp_path)
    written = document(tmp_path)
    assert written["run"]["ending"] == "interrupted"
    assert written["totals"]["overall"]["requests"] == stub.total


@pytest.mark.full
def test_a_run_behind_make_ends_with_its_terminal(tmp_path: Path, stub: StubServer) -> None:
    project(tmp_path)
    command = behind_make(loadgate_command("run", "roomy", "-t", "60s", "--host", stub.url))
    with Terminal(command, tmp_path, clean_env(TERM="xterm")) as shown:
        shown.wait_for(lambda rows: re.search(r"4 users.* \d\d+ requests", "\n".join(rows)), "the load")
        shown.close()
        assert shown.process.wait(30) == INCONCLUSIVE
    assert document(tmp_path)["run"]["ending"] == "interrupted"


@pytest.mark.full
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_shows_ascii_characters(tmp_path: Path, stub: StubServer, encoding: str) -> None:
    stub.delay_s = 0.15
    with terminal(tmp_path, "tight", "-t", "5s", "--host", stub.url, PYTHONIOENCODING=encoding) as shown:
        rows = shown.wait_for(lambda rows: any("! FAIL" in row for row in rows), "the rules")
        assert any(re.search(r"tight \w+ +-+ .* left", row) for row in rows)
        assert shown.wait() == FAIL
        text = shown.everything()
        assert re.search(r"^FAIL: quick p95 [\d,]+ ms \(limit 100 ms\) \(exit code 99\)$", text, re.MULTILINE)
        assert text.rstrip().endswith("open it with: loadgate open")
        report = (tmp_path / "reports/performance/tight_load_report.html").as_uri()
        assert f"report: \x1b]8;;{report}\x1b\\reports/performance/tight_load_report.html\x1b]8;;" in shown.raw


@pytest.mark.full
@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ('"$@" | head -1', "Broken pipe"),
        pytest.param('"$@" > /dev/full', "No space left on device", marks=FULL),
        pytest.param('"$@" >&-', "", marks=FULL),
        pytest.param('"$@" >&- 2>&- <&-', "", marks=FULL),
    ],
)
def test_an_output_error_does_not_affect_the_run(tmp_path: Path, stub: StubServer, shell: str, said: str) -> None:
    project(tmp_path)
    run = loadgate_command("run", "roomy", "-t", "5s", "--host", stub.url)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell, "bash", *run],
        cwd=tmp_path,
        env=clean_env(),
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == PASS, done.stderr
    assert_artefacts(tmp_path)
    lost = f"loadgate: standard output cannot be written, the rest is discarded: {said}\n"
    assert done.stderr == (lost if said else "")


def test_the_verdict_is_shown_in_any_encoding(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, "-t", "2s", LOAD_PROFILE="garbled", PYTHONIOENCODING="ascii")
    assert done.returncode == FAIL, done.stderr
    assert "requests succeeded (last error: wrong? ?)" in done.stdout
    assert [error["text"] for error in document(tmp_path)["errors"]] == ["wrong… ?"]
    assert re.search(r"^FAIL: .* \(limit .*\) \(exit code 99\)$", done.stdout, re.MULTILINE)
