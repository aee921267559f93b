"""Test the verdicts of the suite against slow, failing, silent and dead targets."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inference_core.app.stack.ports import free_port
from tests.support import preloaded
from tests.support.processes import stop, wait_until
from tests.support.stack import ROOT, clean_environment
from tests.support.stub_service import stub_service

SUITE = ROOT / "tests" / "performance"
FAIL, INCONCLUSIVE, ERROR, USAGE = 99, 98, 1, 2
JUDGED = {0, INCONCLUSIVE, FAIL}
MANY_USERS = ("-u", "60", "-r", "60", "-t", "4s")


def command(*arguments: str, suite: Path = SUITE) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", str(suite / "locustfile.py"), "--headless", *arguments]


def locust(folder: Path, *arguments: str, suite: Path = SUITE, **env: str) -> subprocess.CompletedProcess[str]:
    """Run plain Locust with the suite. Its artefacts are below `folder`."""
    return preloaded.run(command(*arguments, suite=suite), cwd=folder, env=clean_environment(**env))


def run_folder(folder: Path) -> Path:
    (path,) = (folder / "reports" / "performance" / "runs").glob("*")
    return path


def run_document(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run_folder(folder) / "run.json").read_text())
    return document


def rule(document: dict[str, Any], scope: str) -> dict[str, Any]:
    (found,) = [item for item in document["verdict"]["rules"] if item["scope"] == scope]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("delay_ms", [pytest.param(150, marks=pytest.mark.full), 104])
def test_slow_health_fails_its_limit(tmp_path: Path, delay_ms: int) -> None:
    with stub_service(tmp_path, "--delay-ms", f"health={delay_ms}") as url:
        done = locust(tmp_path, "--host", url, *MANY_USERS)
    assert done.returncode == FAIL, done.stdout + done.stderr
    health = rule(run_document(tmp_path), "health")
    assert health["outcome"] == "fail"
    assert health["limit"] == 100
    assert health["value"] >= delay_ms
    assert health["samples"] >= 20


def test_two_percent_errors_fail_the_failure_limit(tmp_path: Path) -> None:
    with stub_service(tmp_path, "--fail-every", "50") as url:
        done = locust(tmp_path, "--host", url, *MANY_USERS)
    assert done.returncode == FAIL, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert rule(document, "overall")["outcome"] == "fail"
    assert document["totals"]["overall"]["failures"] >= 1
    assert any("500" in error["text"] for error in document["errors"])


def test_a_run_without_requests_is_inconclusive(tmp_path: Path) -> None:
    with stub_service(tmp_path) as url:
        done = locust(tmp_path, "--host", url, "-u", "0", "-r", "1", "-t", "1s")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    assert run_document(tmp_path)["totals"]["overall"]["requests"] == 0


def test_an_unreachable_target_is_one_line_before_any_load(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = locust(tmp_path, "--host", url, *MANY_USERS)
    assert done.returncode == ERROR
    (line,) = [line for line in done.stderr.splitlines() if url in line]
    assert "not reachable" in line
    assert not (tmp_path / "reports").exists()


def test_target_that_is_another_service_is_refused_before_any_load(tmp_path: Path) -> None:
    port = free_port()
    other = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: "listening" in _reachable(url), what="the other service")
        done = locust(ROOT, "--host", url, *MANY_USERS)
    finally:
        stop(other)
    assert done.returncode == ERROR, done.stdout + done.stderr
    assert f"API: {url}/api/v1/health/ping returned 404, expected 200" in done.stderr


def _reachable(url: str) -> str:
    from loadgate.checks import reachable

    return reachable(url).detail


def test_the_worker_is_checked_only_if_users_need_one(tmp_path: Path) -> None:
    from loadgate.project import load_project

    declared = {check.name for check in load_project(ROOT).doctor}
    assert "worker" in declared
    with stub_service(tmp_path, "--workers", "0") as url:
        full = locust(ROOT, "--host", url, "-t", "1s")
        few = locust(tmp_path, "--host", url, "-u", "2", "-r", "2", "-t", "2s")
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        named = locust(tmp_path, "--host", url, "-u", "5", "-r", "5", "-t", "2s", "HealthCheckUser")
    assert full.returncode == ERROR, full.stdout + full.stderr
    (line,) = [line for line in full.stderr.splitlines() if line.startswith("loadgate:")]
    assert line.startswith("loadgate: worker: ")
    assert "active_workers = 0" in line
    assert few.returncode == 0, few.stdout + few.stderr
    assert named.returncode == 0, named.stdout + named.stderr
    for scope in ("auth", "tasks"):
        assert f"not judged: {scope}: p95" in named.stdout


def test_an_undeclared_check_is_one_line(tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text().replace('name = "worker"', 'name = "workers"')
    (tmp_path / "pyproject.toml").write_text(text)
    with stub_service(tmp_path) as url:
        done = locust(tmp_path, "--host", url, "-t", "2s")
    assert done.returncode == ERROR
    assert (
        "loadgate: TasksMonitoringUser.preflight names the check 'worker', but no [[tool.loadgate.doctor]] declares it"
        in (done.stderr)
    )


def test_a_crash_of_the_target_is_in_the_report(tmp_path: Path) -> None:
    with stub_service(tmp_path, "--die-after", "80") as url:
        done = locust(tmp_path, "--host", url, *MANY_USERS)
    assert done.returncode == FAIL, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert any("no request succeeded" in note for note in document["verdict"]["notes"])
    assert (run_folder(tmp_path) / "report.html").stat().st_size > 0


@pytest.mark.full
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_a_report_and_never_passes(tmp_path: Path, signum: signal.Signals) -> None:
    with stub_service(tmp_path) as url, (tmp_path / "locust.log").open("w") as log:
        arguments = command("--host", url, "-u", "60", "-r", "60", "-t", "5m", "--csv", "figures")
        process = preloaded.start(arguments, cwd=tmp_path, env=clean_environment(), stdout=log, stderr=log)
        history = tmp_path / "figures_stats_history.csv"
        wait_until(lambda: history.exists() and "Auth - Login" in _read(tmp_path, "figures_stats.csv"), within_s=60)
        process.send_signal(signum)
        code = process.wait(40)
    assert code in {FAIL, INCONCLUSIVE}, (tmp_path / "locust.log").read_text()
    document = run_document(tmp_path)
    assert document["run"]["ending"] == "interrupted"
    assert document["totals"]["overall"]["requests"] > 0
    assert (run_folder(tmp_path) / "report.html").exists()


def _read(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text() if path.exists() else ""


def test_unknown_profile_names_the_known_ones(tmp_path: Path) -> None:
    done = locust(tmp_path, "--host", "http://127.0.0.1:9", LOAD_PROFILE="hevy")
    assert done.returncode == USAGE
    assert "hevy" in done.stderr
    for name in ("light", "medium", "heavy", "spike", "endurance", "database"):
        assert name in done.stderr
    assert not (tmp_path / "reports").exists()


@pytest.mark.full
def test_database_profile_runs_its_one_class_and_its_own_limits(tmp_path: Path) -> None:
    with stub_service(tmp_path) as url:
        done = locust(tmp_path, "--host", url, "-r", "20", "-t", "4s", LOAD_PROFILE="database")
    assert done.returncode in JUDGED, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert set(document["totals"]["groups"]) == {"database"}
    assert rule(document, "database")["samples"] >= 20
    assert document["run"]["users"] == 20


@pytest.mark.full
def test_every_class_of_the_profile_gets_users_and_every_call_is_made(tmp_path: Path) -> None:
    with stub_service(tmp_path) as url:
        done = locust(tmp_path, "--host", url, "-u", "60", "-r", "60", "-t", "12s")
    assert done.returncode in JUDGED, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert set(document["totals"]["groups"]) == {"health", "auth", "tasks"}
    assert document["totals"]["overall"]["failures"] == 0, document["errors"]
    assert not document["exceptions"]
    names = {request["name"] for request in document["totals"]["requests"]}
    assert names >= {
        *(f"Health - {name}" for name in ("Root", "Overall", "Database", "Ping")),
        *(f"Auth - {name}" for name in ("Register", "Login", "Get Profile", "Update Profile", "Refresh", "Logout")),
        *(f"Tasks - {name}" for name in ("Health", "Worker Stats", "Active")),
    }


ONE_FAILURE = {
    "a registration is refused": "register=refuse",
    "the response of a registration is lost": "register=lose",
    "the response of a changed password is lost": "change-password=lose",
    "the service has lost its accounts": "login=forget",
}
SHORT_WAITS = """
from users import AuthUserFlow
AuthUserFlow.wait_time = lambda self: 0.01
AuthUserFlow.tasks = [AuthUserFlow.change_password, AuthUserFlow.log_out_and_in, AuthUserFlow.read_profile]
"""


@pytest.mark.parametrize("failure", ONE_FAILURE)
def test_one_failed_account_request_makes_no_others_fail(tmp_path: Path, failure: str) -> None:
    suite = tmp_path / "suite"
    shutil.copytree(SUITE, suite, ignore=shutil.ignore_patterns("__pycache__", "reports"))
    with (suite / "locustfile.py").open("a") as file:
        file.write(SHORT_WAITS)
    with stub_service(tmp_path, "--spoil", ONE_FAILURE[failure]) as url:
        done = locust(tmp_path, "--host", url, "-u", "1", "-t", "3s", "AuthUserFlow", suite=suite)
    assert done.returncode in JUDGED, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert not document["exceptions"]
    assert document["totals"]["overall"]["failures"] == 1, document["errors"]
    made = {request["name"]: request["requests"] for request in document["totals"]["requests"]}
    assert made["Auth - Register"] == 2
    assert made["Auth - Login"] > 3


NEW_USER = """
from locust import task
from users.base import BaseUser


class MyNewUser(BaseUser):
    weight = 2

    @task(1)
    def test_my_endpoint(self):
        with self.client.get("/api/v1/my/endpoint") as response:
            if response.status_code == 200:
                response.success()
            else:
                response.failure(f"Failed: {response.status_code}")
"""

CUSTOM_PROFILE = """LOAD_PROFILES: dict[str, LoadProfile] = {
    "custom": LoadProfile(
        name="custom",
        description="Custom load profile",
        users=30,
        spawn_rate=3.0,
        run_time="7m",
        weight_config={
            "HealthCheckUser": 10,
            "HealthCheckFullUser": 1,
            "AuthUserFlow": 15,
            "TasksMonitoringUser": 1,
            "MyNewUser": 2,
        }
    ),
"""


def test_the_two_ways_to_extend_the_suite_work_as_described(tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    shutil.copytree(SUITE, suite, ignore=shutil.ignore_patterns("__pycache__", "reports"))
    (suite / "users" / "mine.py").write_text(NEW_USER)
    config = suite / "config.py"
    opening = "LOAD_PROFILES: dict[str, LoadProfile] = {\n"
    assert opening in config.read_text()
    config.write_text(config.read_text().replace(opening, CUSTOM_PROFILE))
    locustfile = suite / "locustfile.py"
    text = locustfile.read_text()
    text = text.replace("import loadgate\n", "import loadgate\nfrom users.mine import MyNewUser\n")
    text = text.replace("        DatabaseHealthUser,\n    ]", "        DatabaseHealthUser,\n        MyNewUser,\n    ]")
    assert text.count("MyNewUser") == 2
    locustfile.write_text(text)
    with stub_service(tmp_path) as url:
        done = locust(tmp_path, "--host", url, "-r", "30", "-t", "4s", suite=suite, LOAD_PROFILE="custom")
    assert done.returncode in JUDGED, done.stdout + done.stderr
    document = run_document(tmp_path)
    assert document["run"]["users"] == 30
    assert document["run"]["user_classes"]["MyNewUser"] == 2
    (mine,) = [row for row in document["totals"]["requests"] if row["name"] == "GET /api/v1/my/endpoint"]
    assert mine["requests"] >= 1
    assert mine["failures"] == 0
