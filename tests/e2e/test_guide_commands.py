"""Test the commands of the guide as printed, against real services. Only ports and run times are changed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from inference_core.app.stack.ports import free_port, is_listening
from tests.support.processes import wait_until
from tests.support.raw_http import head_limits_hold
from tests.support.stack import ROOT, Stack, clean_environment, gone
from tests.support.terminal import Terminal

pytestmark = pytest.mark.full
on_the_stack = pytest.mark.xdist_group("stack")

JUDGED = {0, 98, 99}
POETRY = shutil.which("poetry") or shutil.which("poetry", path=str(ROOT / ".local" / "poetry" / "bin"))
PROFILES = {
    "light": (10, 1, "1m"),
    "medium": (20, 2, "5m"),
    "heavy": (50, 5, "10m"),
    "spike": (100, 10, "3m"),
    "endurance": (50, 1, "30m"),
}


POETRY_STAND_IN = """#!/bin/sh
# What `poetry run` comes to in a project that is set up.
project=$PWD
while [ ! -e "$project/pyproject.toml" ]; do project=$(dirname "$project"); done
[ "$1" = run ] && shift && program=$1 && shift && exec "$project/.venv/bin/$program" "$@"
"""


@pytest.fixture(scope="session", autouse=True)
def poetry_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of `poetry`: the real one, which CI needs, or a script that runs the environment's programs."""
    if POETRY:
        folder = Path(POETRY).parent
    elif os.environ.get("CI"):
        pytest.fail("poetry is missing")
    else:
        folder = tmp_path_factory.mktemp("poetry")
        (folder / "poetry").write_text(POETRY_STAND_IN)
        (folder / "poetry").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        yield folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the project's files as in a clone, and with the installed environment."""
    folder = tmp_path / "project"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv", target_is_directory=True)
    return folder


def shell_environment(**extra: str) -> dict[str, str]:
    environment = clean_environment(**extra)
    environment.pop("VIRTUAL_ENV", None)
    return environment


def shell(folder: Path, command: str, *, timeout_s: float = 100, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=shell_environment(**env),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def background(folder: Path, command: str, **env: str) -> Iterator[Path]:
    """Run a command until the block ends, then end it with all its children. Yield the file of its output."""
    output = folder / f"{shlex.split(command)[2]}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=shell_environment(**env),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    family = [psutil.Process(process.pid)]
    try:
        yield output
        family += psutil.Process(process.pid).children(recursive=True)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
        wait_until(lambda: gone(family), what=f"{command} gone")


def run_document(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "reports" / "performance" / "runs").glob("*/run.json")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def get_json(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


@pytest.mark.parametrize("mode", ["dev", "run"])
def test_service_and_worker_of_a_copied_env_file(project: Path, redis_url: str, mode: str) -> None:
    port = free_port()
    copied = shell(project, "cp .env.example .env && cp llm_config.example.yaml llm_config.yaml")
    assert copied.returncode == 0, copied.stderr
    with (project / ".env").open("a") as env_file:
        env_file.write(f"\nREDIS_URL={redis_url}\n")
    api = f"poetry run fastapi {mode} --host 127.0.0.1 --port {port}"
    worker = "poetry run celery -A inference_core.celery.celery_main:celery_app worker --loglevel=info --queues=default"
    with background(project, api) as api_log, background(project, worker) as worker_log:
        wait_until(lambda: is_listening(port), within_s=60, what=f"the API: {api_log.read_text()}")
        url = f"http://127.0.0.1:{port}"
        curl = shell(project, f"curl -v {url}/api/v1/health/ && curl -v {url}/api/v1/health/ping")
        assert curl.returncode == 0, curl.stderr
        assert '"pong"' in curl.stdout
        assert head_limits_hold(port)
        wait_until(
            lambda: get_json(f"{url}/api/v1/tasks/health")["active_workers"] >= 1,
            within_s=60,
            what=f"the worker: {worker_log.read_text()}",
        )
        account = {"username": "guide", "email": "guide@example.com", "password": "SecurePass123!"}
        get_json(f"{url}/api/v1/auth/register", account)
        tokens = get_json(f"{url}/api/v1/auth/login", {"username": "guide", "password": "SecurePass123!"})
        assert tokens["token_type"] == "bearer"
        get_json(f"{url}/api/v1/auth/forgot-password", {"email": "guide@example.com"})
        outbox = project / ".local" / "outbox"
        wait_until(lambda: list(outbox.glob("*.eml")), within_s=30, what="the reset mail in the outbox")


# The columns and lines of the terminal, and their environment variables.
TERMINALS: dict[str, tuple[int, int, dict[str, str]]] = {
    "light": (80, 24, {"TERM": "xterm-256color"}),
    "medium": (40, 8, {"TERM": "xterm-256color"}),
    "heavy": (80, 24, {"TERM": "xterm-256color", "NO_COLOR": "1"}),
    "spike": (40, 8, {"TERM": "xterm-256color", "CI": "1"}),
    "endurance": (20, 8, {"TERM": "dumb"}),
}


@on_the_stack
@pytest.mark.parametrize("profile", PROFILES)
def test_profile_command(project: Path, stack: Stack, profile: str) -> None:
    users, rate, run_time = PROFILES[profile]
    report = f"reports/performance/{profile}_load_report.html"
    printed = (
        f"LOAD_PROFILE={profile} poetry run locust -f tests/performance/locustfile.py --host http://localhost:8000 "
        f"--headless -u {users} -r {rate} -t {run_time} --html {report}"
    )
    command = printed.replace("http://localhost:8000", stack.url).replace(f"-t {run_time}", "-t 4s")
    columns, lines, env = TERMINALS[profile]
    with Terminal(["bash", "-c", command], project, shell_environment(**env), columns, lines) as terminal:
        code = terminal.wait(100)
        shown = terminal.everything()
    document = run_document(project)
    assert code == document["verdict"]["exit_code"], shown
    assert "Traceback" not in shown
    assert f"(exitcode{code})" in "".join(shown.split())
    assert (project / report).stat().st_size > 10_000
    assert document["run"]["profile"]["name"] == profile
    assert document["run"]["users"] == users
    assert document["run"]["spawn_rate"] == rate


@on_the_stack
def test_csv_and_relative_locustfile_in_the_folder_of_the_suite(project: Path, stack: Stack) -> None:
    folder = project / "tests" / "performance"
    done = shell(
        folder,
        f"poetry run locust -f locustfile.py --host {stack.url} --headless --users 10 --spawn-rate 2 --run-time 4s "
        "--html reports/performance/ci_report.html --csv reports/performance/ci_results",
    )
    assert done.returncode in JUDGED, done.stdout + done.stderr
    for name in ("ci_report.html", "ci_results_stats.csv", "ci_results_stats_history.csv", "ci_results_failures.csv"):
        assert (folder / "reports" / "performance" / name).exists(), name
        assert (project / "reports" / "performance" / name).exists(), name
    table = (folder / "reports" / "performance" / "ci_results_stats.csv").read_text()
    assert table.count("\n") > 3
    assert (project / "reports" / "performance" / "ci_results_stats.csv").read_text() == table


def test_the_documented_workflow_passes_without_a_worker(project: Path, redis_url: str) -> None:
    """Run its steps as printed, except for GitHub's parts, the installation, the ports and the wait."""
    workflow = yaml.safe_load(Path(__file__).with_name("guide_workflow.yml").read_text())
    steps = {step["name"]: step for step in workflow["jobs"]["performance-smoke"]["steps"] if "name" in step}
    assert list(steps)[2:] == ["Setup environment", "Start application", "Run smoke test", "Upload report"]
    port = free_port()

    def run_step(name: str) -> str:
        text: str = steps[name]["run"]
        assert name == "Setup environment" or "8000" in text
        return f"set -e\n{text}".replace("8000", str(port)).replace("0.0.0.0", "127.0.0.1")  # noqa: S104

    prepared = shell(project, run_step("Setup environment"))
    assert prepared.returncode == 0, prepared.stderr
    start, ampersand, waiting = run_step("Start application").rstrip().partition(" &\n")
    assert (ampersand, waiting) == (" &\n", "sleep 10")
    with background(project, start.removeprefix("set -e\n"), REDIS_URL=redis_url) as log:
        wait_until(lambda: is_listening(port), within_s=60, what=f"the API: {log.read_text()}")
        done = shell(project, run_step("Run smoke test"))
    assert done.returncode == 0, done.stdout + done.stderr
    artifact = project / steps["Upload report"]["with"]["path"]
    assert "</html>" in artifact.read_text()
    beside_the_suite = project / "tests" / "performance" / steps["Upload report"]["with"]["path"]
    assert beside_the_suite.read_bytes() == artifact.read_bytes()
    verdict = run_document(project)["verdict"]
    assert {rule["scope"] for rule in verdict["rules"]} == {"health", "auth", "overall"}
    assert {rule["outcome"] for rule in verdict["rules"]} == {"pass"}
    assert "not judged: tasks: p95 < 200ms (this run has no users for tasks)" in verdict["notes"]
    assert any(note.startswith("2 users instead of the profile's 10") for note in verdict["notes"])


@on_the_stack
def test_target_host_and_debug_log(project: Path, stack: Stack) -> None:
    done = shell(
        project / "tests" / "performance",
        f"TARGET_HOST={stack.url} LOAD_PROFILE=medium "
        "poetry run locust -f locustfile.py --headless -u 20 -r 20 -t 4s --loglevel DEBUG",
    )
    assert done.returncode in JUDGED, done.stdout + done.stderr
    assert "DEBUG" in done.stderr
    document = run_document(project)
    assert document["run"]["profile"]["name"] == "medium"
    assert document["run"]["host"] == stack.url


@on_the_stack
def test_web_ui_opens_with_the_profile_filled_in(project: Path, stack: Stack) -> None:
    port = free_port()
    command = f"poetry run locust -f locustfile.py --host {stack.url} --web-host 127.0.0.1 --web-port {port}"
    with background(project / "tests" / "performance", command, LOAD_PROFILE="spike") as log:
        wait_until(lambda: is_listening(port), within_s=60, what=f"the web UI: {log.read_text()}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
            page = response.read().decode()
    assert re.search(r'"num_users": ?100\b', page), page[-2000:]
    assert re.search(r'"spawn_rate": ?10(\.0)?\b', page), page[-2000:]
    assert stack.url in page
