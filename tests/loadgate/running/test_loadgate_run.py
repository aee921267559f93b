"""Test that `loadgate run` gives the same verdict as Locust, and that its managed target ends with it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadgate.paths import write_atomically
from loadgate.project import TargetSettings
from loadgate.report.ab.artefacts import COMPARISON_FILES
from loadgate.report.artefacts import RUN_FILES
from loadgate.runner.target import managed_target
from tests.loadgate.report.ab.documents import failed
from tests.loadgate.running.support import (
    ERROR,
    FAIL,
    FULL,
    INCONCLUSIVE,
    PASS,
    STUB,
    SUITE,
    USAGE,
    Started,
    assert_artefacts,
    document,
    finish,
    free_port,
    loadgate_command,
    locust,
    run_folder,
    wait_until,
)
from tests.loadgate.stub_server import StubServer, stub_server
from tests.support.run_documents import as_json, document_of
from tests.support.synthetic_run import Synthetic, synthetic_document


def project(folder: Path, *target: str, extra: str = "", timeout: float = 30) -> None:
    """Create a project whose managed target is the stub, with these options."""
    command = json.dumps([sys.executable, str(STUB), *target])
    text = f"[tool.loadgate]\nlocustfile = {json.dumps(str(SUITE))}\n"
    text += f"[tool.loadgate.target]\ncommand = {command}\nready_line = 'http://\\S+'\ntimeout = {timeout}\n"
    (folder / "pyproject.toml").write_text(text + extra)


def gate(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return finish(loadgate_command(*arguments), folder, **env)


def stubs_of(folder: Path) -> list[psutil.Process]:
    """Return the processes of managed targets that were started in `folder`."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(folder) and str(STUB) in (process.info["cmdline"] or [])
    ]


def comparable(folder: Path) -> dict[str, Any]:
    run = document(folder)
    rules = [(rule["rule"], rule["outcome"]) for rule in run["verdict"]["rules"]]
    names = sorted(item["name"] for item in run["totals"]["requests"])
    files = sorted(path.name for path in run_folder(folder).iterdir())
    # Only `loadgate run` compares with earlier runs.
    keys = sorted(run.keys() - {"is_first_of_its_kind"})
    return {"rules": rules, "code": run["verdict"]["exit_code"], "names": names, "files": files, "keys": keys}


def job_page(folder: Path) -> dict[str, str]:
    """Return the environment of a GitHub Actions job whose summary is below `folder`."""
    return {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "page.md")}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of the profile `tight`."""
    folder = tmp_path_factory.mktemp("ours")
    project(folder)
    with stub_server() as stub:
        stub.delay_s = 0.15
        done = gate(folder, "run", "tight", "--host", stub.url, **job_page(folder))
    assert done.returncode == FAIL, done.stdout + done.stderr
    return folder


@pytest.mark.xdist_group("ours")
def test_plain_locust_and_loadgate_run_give_the_same_verdict_and_artefacts(
    tmp_path: Path, stub: StubServer, ours: Path
) -> None:
    stub.delay_s = 0.15
    plain = tmp_path
    done = locust(plain, "--host", stub.url, LOAD_PROFILE="tight", **job_page(plain))
    assert done.returncode == FAIL, done.stdout + done.stderr
    assert comparable(plain) == comparable(ours)
    fingerprint = document(plain)["made_on"]["fingerprint"]
    assert fingerprint == document(ours)["made_on"]["fingerprint"]
    assert None not in fingerprint.values()
    assert "</html>" in (ours / "reports/performance/tight_load_report.html").read_text()
    for folder in (plain, ours):
        assert (folder / "page.md").read_text() == (run_folder(folder) / "summary.md").read_text()


@pytest.mark.full
def test_a_run_is_compared_with_the_baseline_of_its_profile(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.loadgate]\nlocustfile = {json.dumps(str(SUITE))}\n")
    with stub_server() as stub:
        load = ("run", "roomy", "--host", stub.url, "-u", "2", "-t", "2s")
        refused = gate(tmp_path, *load, "--baseline")
        assert refused.returncode == USAGE
        assert "baselines/roomy.json: profile roomy has no baseline" in refused.stderr
        first = gate(tmp_path, *load)
        assert first.returncode == PASS, first.stdout + first.stderr
        assert "This is the first run with this load on this machine." in first.stdout
        assert gate(tmp_path, "baseline", "set", "latest").returncode == PASS
        shutil.rmtree(tmp_path / "reports")
        second = gate(tmp_path, *load)
    assert second.returncode == PASS, second.stdout + second.stderr
    assert "baseline: run 20" in second.stdout
    assert document(tmp_path)["baseline"]["profile"] == "roomy"
    assert "Since baseline" in (run_folder(tmp_path) / "report.html").read_text()
    published = tmp_path / "reports" / "performance" / "roomy_load_report.html"
    assert "Since baseline" in published.read_text()


def test_the_managed_target_is_started_measured_and_stopped(tmp_path: Path) -> None:
    project(tmp_path)
    done = gate(tmp_path, "run", "roomy", "-u", "2", "-t", "4s", "--processes", "2")
    assert done.returncode == PASS, done.stdout + done.stderr
    assert_artefacts(tmp_path)
    run = document(tmp_path)
    assert run["run"]["host"] == run["target"]["url"]
    assert run["run"]["users"] == 2
    assert run["target"]["ended"] is None
    assert "warming up" in (run_folder(tmp_path) / "target.log").read_text()
    assert not stubs_of(tmp_path)


def test_a_managed_target_that_crashes_under_load_fails(tmp_path: Path) -> None:
    project(tmp_path, "--die-after", "40")
    done = gate(tmp_path, "run", "roomy", "-t", "40s")
    assert done.returncode == FAIL, done.stdout + done.stderr
    assert_artefacts(tmp_path)
    verdict = document(tmp_path)["verdict"]
    assert verdict["reason"] == "the target ended with exit code 3 during the run"
    assert verdict["exit_code"] == FAIL
    report = (run_folder(tmp_path) / "report.html").read_text()
    assert re.search(r"Cut short after \S+\ss of 40\ss, because the target ended with exit code 3\.", report)
    assert done.stdout.count("the target ended with exit code 3; its last lines:") == 1


def test_a_target_runs_even_if_its_log_cannot_be_written(tmp_path: Path) -> None:
    settings = TargetSettings(command=[sys.executable, str(STUB)], ready_line=r"http://\S+")
    with managed_target(settings, tmp_path, Path("/dev/full")) as target:
        assert target.url.startswith("http://127.0.0.1:")
        assert target.ended() is None


def test_a_target_is_asked_at_its_ready_url_and_never_through_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    settings = TargetSettings(command=command, ready_url=f"http://127.0.0.1:{port}/", timeout=20)
    with managed_target(settings, tmp_path, tmp_path / "target.log") as target:
        assert target.url == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("options", "timeout", "message"),
    [
        (["--exit-at-once"], 30, "the target ended with exit code 7; its last lines:"),
        (["--never-ready"], 1.5, "the target was not ready within 1.5 s: no line of its output matched ready_line, "),
    ],
)
def test_a_target_that_does_not_start_is_reported_with_its_last_lines(
    tmp_path: Path, options: list[str], timeout: float, message: str
) -> None:
    project(tmp_path, *options, timeout=timeout)
    done = gate(tmp_path, "run", "roomy")
    assert done.returncode == ERROR
    assert message in done.stderr
    assert "its last lines:" in done.stderr
    assert "warming up" in done.stderr
    (log,) = (tmp_path / "reports").rglob("target.log")
    assert "warming up" in log.read_text()
    assert ("--exit-at-once" in options) != (f"output: {log.relative_to(tmp_path)})" in done.stderr)
    assert not stubs_of(tmp_path)


def test_ctrl_c_during_the_start_of_the_target_leaves_nothing_behind(tmp_path: Path) -> None:
    project(tmp_path, "--never-ready")
    with Started(loadgate_command("run", "roomy"), tmp_path) as started:
        wait_until(lambda: stubs_of(tmp_path), "the target")
        started.signal(signal.SIGINT)
        assert started.wait() == ERROR
    assert "interrupted while the target was starting" in started.output
    assert not stubs_of(tmp_path)


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=FULL), pytest.param(signal.SIGHUP, marks=FULL)],
)
def test_interrupting_a_run_leaves_artefacts_and_no_process(tmp_path: Path, number: signal.Signals) -> None:
    project(tmp_path)
    with Started(loadgate_command("run", "roomy", "-t", "60s", "--processes", "2"), tmp_path) as started:
        wait_until(lambda: re.search(r"4 users \| \d\d+ requests", started.output), "the load")
        family = psutil.Process(started.process.pid).children(recursive=True)
        assert len(family) >= 4
        started.signal(number)
        started.signal(number)
        assert started.wait() == INCONCLUSIVE, started.output
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert_artefacts(tmp_path)
    assert document(tmp_path)["run"]["ending"] == "interrupted"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nope", "--host", "http://127.0.0.1:1"], "unknown load profile 'nope'; known profiles: roomy"),
        pytest.param(
            ["run", "bad-threshold", "--host", "http://127.0.0.1:1"],
            "profile 'bad-threshold': unknown threshold 'quick_p95'",
            marks=FULL,
        ),
        (["run", "roomy", "-u", "none"], "--users none: must be a whole number; see "),
        (["run", "roomy", "-u", "0"], "--users 0: must be at least 1; see "),
        (["run", "roomy", "--keep", "soon"], "--keep: 'soon' is not a duration; write it like 30s, 5m or 1h30m"),
        (["ab", "--pairs", "1"], "--pairs 1: must be at least 2; see "),
        (["ab", "--ignore-ms", "x"], "--ignore-ms x: must be a number; see "),
        (["capacity", "--width", "0.5%"], "--width 0.5%: must be from 1% to 100%"),
        (["ab", "--metric", "memory", "--worse", "5%"], "--worse has no effect with --metric memory; leave it out"),
        (["ab", "--ignore-bytes", "5"], "--ignore-bytes has no effect with --metric rules; leave it out"),
        pytest.param(["run", "roomy", "-t", "0s"], "--run-time 0s: must be above 0, such as 30s", marks=FULL),
        pytest.param(
            ["run", "roomy", "-u", "99999999999"], "--users 99999999999: must be from 0 to 10,000,000", marks=FULL
        ),
        (["run", "roomy", "--worker"], "--worker: a worker is started by Locust; use locust --worker with the same"),
        (["run", "roomy", "-f", "nowhere.py"], "nowhere.py: locustfile not found"),
        (["bogus"], "No such command 'bogus'; see "),
        (["report", "nowhere"], "nowhere: No such file or directory"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    project(tmp_path)
    done = gate(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")  # no target was started
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"loadgate: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.loadgate]\nlocustfil = 'x'\n", "tool.loadgate.locustfil: unknown key"),
        ("[tool.loadgate.target]\ncommand = ['x']\n", "give exactly one of ready_url and ready_line"),
        ("[tool.loadgate\n", "not valid TOML"),
    ],
)
def test_bad_settings_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    done = gate(tmp_path, "run", "roomy")
    assert done.returncode == USAGE
    (line,) = done.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize("command", [pytest.param(["run", "roomy"], marks=FULL), ["doctor"]])
def test_a_host_without_its_scheme_is_bad_usage(tmp_path: Path, command: list[str]) -> None:
    project(tmp_path)
    plain = locust(tmp_path, "--host", "localhost:8000", LOAD_PROFILE="roomy")
    for done in (gate(tmp_path, *command, "--host", "localhost:8000"), plain):
        assert done.returncode == USAGE
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("loadgate: ")]
        assert line == (
            "loadgate: the host 'localhost:8000' is not an http:// or https:// address; "
            "did you mean http://localhost:8000?"
        )


@pytest.mark.parametrize(
    ("arguments", "env", "profile"),
    [
        pytest.param([], {}, "roomy", marks=FULL),
        pytest.param([], {"LOAD_PROFILE": "slow"}, "slow", marks=FULL),
        pytest.param([], {"LOAD_PROFILE": ""}, "roomy", marks=FULL),
        pytest.param(["repeating"], {"LOAD_PROFILE": "slow"}, "repeating", marks=FULL),
        (["--only-summary"], {"LOAD_PROFILE": "slow"}, "slow"),
    ],
)
def test_a_run_without_a_profile_uses_the_environment_or_the_default(
    tmp_path: Path, stub: StubServer, arguments: list[str], env: dict[str, str], profile: str
) -> None:
    project(tmp_path)
    done = gate(tmp_path, "run", *arguments, "--host", stub.url, "-t", "1s", **env)
    assert document(tmp_path)["run"]["profile"]["name"] == profile, done.stderr
    assert (tmp_path / f"reports/performance/{profile}_load_report.html").exists()


def test_the_command_of_the_target_is_printed(tmp_path: Path) -> None:
    project(tmp_path, "--port-file", "{run_folder}/port")
    done = gate(tmp_path, "run", "roomy", "-t", "1s")
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("starting the target")]
    assert re.search(r" --port-file reports/performance/runs/\d{8}T\d{6}Z-roomy/port$", line)


@pytest.mark.full
def test_an_unreachable_host_is_refused_before_any_load(tmp_path: Path) -> None:
    project(tmp_path)
    done = gate(tmp_path, "run", "roomy", "--host", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == ERROR
    assert "is not reachable (Connection refused)" in done.stderr


def test_doctor_names_missing_services_and_their_start_commands(tmp_path: Path, stub: StubServer) -> None:
    closed = free_port()
    checks = f"""
[[tool.loadgate.doctor]]
name = "API"
kind = "http-json"
where = "/status"
expect = {{ status = "ok", "items.0" = ">= 1" }}
start = "start the API"

[[tool.loadgate.doctor]]
name = "worker"
kind = "http-json"
where = "/status"
expect = {{ "items.0" = ">= 2" }}
start = "start a worker"

[[tool.loadgate.doctor]]
name = "queue"
kind = "tcp"
where = "127.0.0.1:{closed}"
start = "start the queue"
"""
    project(tmp_path, extra=checks)
    done = gate(tmp_path, "doctor", "--host", stub.url)
    assert done.returncode == ERROR
    assert done.stdout.splitlines() == [
        f"ok       API: {stub.url}/status returned 200",
        f"MISSING  worker: {stub.url}/status has items.0 = 1, expected >= 2; start it with: start a worker",
        f"MISSING  queue: 127.0.0.1:{closed} is not reachable (Connection refused); start it with: start the queue",
    ]
    down = gate(tmp_path, "doctor", "--host", f"http://127.0.0.1:{closed}")
    assert [line.split()[0] for line in down.stdout.splitlines()] == ["MISSING", "unknown", "MISSING"]

    refused = gate(tmp_path, "run", "roomy", "--host", stub.url)
    assert refused.returncode == ERROR
    assert "loadgate: worker: " in refused.stderr
    assert set(stub.received) == {"/status"}


@pytest.mark.full
def test_a_password_in_the_host_is_sent_but_never_written_or_shown(tmp_path: Path, stub: StubServer) -> None:
    check = "[[tool.loadgate.doctor]]\nname = 'API'\nkind = 'http-json'\nwhere = '/status'\nexpect = {status = 'ok'}\n"
    project(tmp_path, extra=check)
    host = stub.url.replace("://", "://ann:s3cr%40t@")
    done = gate(tmp_path, "run", "roomy", "-t", "2s", "--host", host)
    assert_artefacts(tmp_path)
    assert set(stub.authorizations) == {f"Basic {b64encode(b'ann:s3cr@t').decode()}"}
    said = [done.stdout, done.stderr, *(path.read_text() for path in tmp_path.rglob("*") if path.is_file())]
    assert not [text for text in said if "s3cr" in text]
    run = document(tmp_path)["run"]
    assert run["host"] == stub.url
    assert run["command"] == ["loadgate", "run", "roomy", "--host", stub.url, "--run-time", "2s"]
    stub.die()
    refused = gate(tmp_path, "run", "roomy", "--host", host)
    assert refused.returncode == ERROR
    assert f"target: {stub.url} is not reachable" in refused.stderr


def test_profiles_are_listed(tmp_path: Path) -> None:
    project(tmp_path)
    listed = gate(tmp_path, "profiles")
    assert listed.returncode == PASS
    shown = {block.partition(":")[0]: block.splitlines() for block in listed.stdout.split("\n\n")}
    roomy = shown["roomy (default)"]
    assert roomy[:3] == ["roomy (default): 4 users, 20/s, 2 s", "  the roomy profile", "  users by weight: QuickUser 1"]
    assert roomy[3:]
    assert all(line.startswith(("  rule quick: ", "  rule overall: ")) for line in roomy[3:])
    assert shown["rates"][:4] == [
        "rates: up to 60 arrivals/s, 4 s",
        "  the rates profile",
        "  stage base: 20 arrivals/s, 2 s",
        "  stage peak: 60 arrivals/s, 2 s with a ramp of 1 s",
    ]
    assert "  stage spike: 8 users, 2 s" in shown["staged"]
    assert "  rule quick: p95 < 100ms over 2s abort" in shown["abort"]
    # A problem of a profile keeps none of the others from being run.
    assert shown["bad-time"][0] == "bad-time: cannot be run"
    assert "profile 'bad-time': run_time: '1 minute' is not a duration" in shown["bad-time"][-1]
    assert "no user class has that group; did you mean 'quick'?" in "\n".join(shown["misspelt"])


@pytest.mark.xdist_group("ours")
def test_the_report_of_a_run_can_be_written_again(ours: Path) -> None:
    folder = run_folder(ours)
    before = {name: (folder / name).read_text() for name in ("report.html", "junit.xml", "summary.md")}
    for name in before:
        (folder / name).unlink()
    rebuilt = gate(ours, "report", str(folder))
    assert rebuilt.returncode == PASS, rebuilt.stderr
    assert before == {name: (folder / name).read_text() for name in before}


def test_a_report_that_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    project(tmp_path)
    nested, taken = tmp_path / "nested", tmp_path / "taken"
    write_atomically(nested / "run.json", "[" * 100_000)
    RUN_FILES.write(synthetic_document(Synthetic(duration_s=5, names=1)), taken)
    (taken / "report.html").unlink()
    (taken / "report.html").mkdir()
    unread, unwritten = gate(tmp_path, "report", "nested"), gate(tmp_path, "report", "taken")
    assert (unread.returncode, unwritten.returncode) == (USAGE, ERROR)
    assert re.fullmatch(r"loadgate: nested/run.json: not JSON: .*\n", unread.stderr)
    assert unwritten.stderr == "loadgate: taken: the files cannot be written: report.html: Is a directory\n"


def test_the_files_of_a_comparison_can_be_written_again(tmp_path: Path) -> None:
    project(tmp_path)
    page = COMPARISON_FILES.write(failed(), tmp_path / "ab")
    before = page.read_bytes()
    page.unlink()
    rebuilt, refused = gate(tmp_path, "report", "ab"), gate(tmp_path, "report", "ab/ab.json", "--hdr")
    assert (rebuilt.returncode, rebuilt.stdout) == (PASS, "ab/ab.html\n")
    assert page.read_bytes() == before
    assert refused.returncode == USAGE
    assert refused.stderr.startswith("loadgate: ab/ab.json: a comparison has no log of latencies; ")


def test_the_history_is_shown_in_any_encoding(tmp_path: Path) -> None:
    project(tmp_path)
    data = as_json(synthetic_document(Synthetic(duration_s=5, names=1)))
    data["run"]["profile"]["name"] = "h\u00e9"
    RUN_FILES.write(document_of(data), tmp_path / "reports/performance/runs/20260501T120000Z-h")
    done = gate(tmp_path, "history", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == PASS, done.stderr
    assert "h\\xe9" in done.stdout
