"""Test `inference-core up`: readiness, errors of one line, and no remaining processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from inference_core.core.queue.worker_state import WORKERS_KEY
from tests.support.accounts import new_registration
from tests.support.mailbox import link_in, wait_for_mails
from tests.support.processes import keys_of_service, wait_until
from tests.support.raw_http import head_limits_hold
from tests.support.stack import BIN, URL_LINE, Stack, clean_environment, gone, running_stack, start_stack
from tests.support.terminal import Terminal


def get_json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as response:
        body = json.load(response)
    assert isinstance(body, dict)
    return body


def post_json(url: str, body: dict[str, str]) -> int:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return int(response.status)


def assert_a_password_is_reset_by_mail(url: str, outbox: Path) -> None:
    """As a new user: the mail is a file, and its link leads to the stack."""
    account, accounts = new_registration(), f"{url}/api/v1/auth"
    assert post_json(f"{accounts}/register", account) == 201
    assert post_json(f"{accounts}/forgot-password", {"email": account["email"]}) == 200
    link, _, token = link_in(wait_for_mails(outbox, account["email"], 1)[0]).partition("#token=")
    assert link == f"{url}/reset-password"
    with urllib.request.urlopen(link, timeout=10) as response:
        assert "Choose a new password" in response.read().decode()
    assert post_json(f"{accounts}/reset-password", {"token": token, "new_password": "BrandNew789!"}) == 200
    assert post_json(f"{accounts}/login", {"username": account["email"], "password": "BrandNew789!"}) == 200


NOWHERE = "http://127.0.0.1:9"
KEEPER = {"username": "keeper", "email": "keeper@example.com", "password": "correct horse battery"}


def register_keeper(url: str) -> int:
    try:
        return post_json(f"{url}/api/v1/auth/register", KEEPER)
    except urllib.error.HTTPError as error:
        return error.code


def family_is_gone(family: list[psutil.Process]) -> bool:
    """Wait until no process of a stack is left."""
    wait_until(lambda: gone(family), within_s=30, what="the stack's processes gone")
    return True


@dataclass
class FirstRun:
    """The observations of a stack from start to Ctrl-C, on a machine with a proxy in its environment."""

    folder: Path
    logs: Path
    url: str = ""
    said: str = ""
    logged: str = ""
    commands: str = ""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses_long_heads: bool = False
    registered: int = 0
    refused_second: str = ""
    process: int = 0
    code: int | None = None
    gone: bool = False


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    folder = tmp_path_factory.mktemp("first")
    seen = FirstRun(folder, folder / "logs")
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), NOWHERE)
    env = {name: value for name, value in clean_environment(**proxies).items() if name.lower() != "no_proxy"}
    with running_stack(folder, "--port", "0", "--data", "data", "--logs", str(seen.logs), env=env) as stack:
        seen.url, seen.said, seen.process = stack.url, stack.text, stack.process.pid
        seen.logged = "".join(path.read_text() for path in seen.logs.glob("*.log"))
        for path in ("health/ping", "health/database", "tasks/health"):
            seen.answers[path] = get_json(f"{stack.url}/api/v1/{path}")
        seen.refuses_long_heads = head_limits_hold(int(stack.url.rpartition(":")[2]))
        seen.registered = register_keeper(stack.url)
        assert_a_password_is_reset_by_mail(stack.url, folder / "data" / "outbox")
        with start_stack(folder / "other", "--port", "0", "--data", str(folder / "data")) as second:
            assert second.process.wait(30) == 1
        seen.refused_second = second.text
        family = stack.family()
        seen.commands = " ".join(" ".join(process.cmdline()) for process in family)
        seen.code = stack.end(signal.SIGINT)
        seen.gone = family_is_gone(family)
    return seen


@pytest.mark.xdist_group("stack on data")
class TestFirstRun:
    """Start one stack for all tests of the module."""

    def test_a_ready_stack_serves_health_and_has_a_worker(self, first_run: FirstRun) -> None:
        assert first_run.answers["health/ping"]["message"] == "pong"
        assert first_run.answers["health/database"]["status"] == "healthy"
        assert first_run.answers["tasks/health"]["active_workers"] == 1
        assert first_run.refuses_long_heads
        assert "celery" in first_run.commands
        assert "inference_core serve" in first_run.commands

    def test_a_stack_behind_a_proxy_prints_its_public_urls(self, first_run: FirstRun) -> None:
        lines = first_run.said.splitlines()
        assert lines[-1] == first_run.url
        assert lines[0].endswith(" is ready. Press Ctrl-C to stop.")
        assert f"  API            {first_run.url}" in lines
        assert f"  Documentation  {first_run.url}/docs" in lines
        assert f"  Playground     {first_run.url}/playground" in lines
        assert f"  Logs           {first_run.logs}" in lines
        assert any(line.startswith("  Mail outbox    ") and line.endswith(f"{os.sep}outbox") for line in lines)
        assert any(line.startswith("  Database       sqlite:///") for line in lines)
        assert first_run.logged
        assert "Pool disposed" not in first_run.said + first_run.logged
        assert "alembic" not in first_run.said + first_run.logged

    def test_a_second_stack_in_the_same_folder_is_refused_in_one_line(self, first_run: FirstRun) -> None:
        (line,) = first_run.refused_second.splitlines()
        assert (
            f"a stack is already running in {first_run.folder / 'data'} (process {first_run.process}); stop it" in line
        )

    def test_ctrl_c_stops_the_stack_and_keeps_the_data(self, first_run: FirstRun) -> None:
        assert (first_run.code, first_run.gone) == (0, True)
        assert (first_run.folder / "data" / "inference_core.db").exists()

    @pytest.mark.full
    def test_a_second_run_on_the_same_data_keeps_accounts_and_ends_if_a_child_crashes(
        self, first_run: FirstRun
    ) -> None:
        assert first_run.registered == 201
        with running_stack(first_run.folder, "--port", "0", "--data", "data") as stack:
            assert register_keeper(stack.url) == 409
            family = stack.family()
            api = next(process for process in family if "inference_core serve" in " ".join(process.cmdline()))
            api.kill()
            assert stack.process.wait(30) == 1
            assert family_is_gone(family)
        assert "inference-core: api ended with code -9; its last lines:" in stack.text


@pytest.mark.full
def test_on_a_terminal_the_stack_shows_its_log(tmp_path: Path) -> None:
    command = [str(BIN / "inference-core"), "up", "--port", "0", "--ephemeral"]
    with Terminal(command, tmp_path, clean_environment(TERM="xterm"), 200, 60) as terminal:
        wait_until(lambda: "  Redis " in terminal.everything(), within_s=90, what="the greeting")
        url = next(line.split()[1] for line in terminal.everything().splitlines() if line.startswith("  API "))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get_json(f"{url}/nothing")
        wait_until(lambda: " 404 GET /nothing " in terminal.everything(), within_s=30, what="the request")
        assert register_keeper(url) == 201
        post_json(f"{url}/api/v1/auth/forgot-password", {"email": KEEPER["email"]})
        wait_until(lambda: " worker info mail_sent " in terminal.everything(), within_s=60, what="the task")
        shown = terminal.everything()
        terminal.press_ctrl_c()
        assert terminal.process.wait(30) == 0
    assert shown.index(" is ready. Press Ctrl-C to stop.") < shown.index(f"  API            {url}")
    assert "\x1b[33m404\x1b[0m" in terminal.raw
    for internal in ("Pool", "alembic", "uvicorn", "health_changed", "mingle"):
        assert internal not in shown


@pytest.mark.full
def test_a_changed_file_restarts_the_processes_of_the_service(tmp_path: Path) -> None:
    code = tmp_path / "shop" / "service.py"
    code.parent.mkdir()
    code.write_text("from inference_core.service import service\n")
    (tmp_path / "pyproject.toml").write_text('[tool.inference_core]\nservice = "shop.service:service"\n')
    with running_stack(tmp_path, "--port", "0", "--ephemeral", "--reload") as stack:
        assert "Changes of Python files restart it." in stack.text
        before = stack.family()
        code.write_text("from inference_core.service import service  # changed\n")
        wait_until(lambda: "the API is ready after " in stack.text, within_s=90, what="the restart")
        assert "shop/service.py changed: restarting the API and the worker" in stack.text
        assert get_json(f"{stack.url}/api/v1/health/ping")["message"] == "pong"
        kept = [process for process in before if process.is_running()]
        assert [process.name() for process in kept if process.name().startswith("python")] == []
        family = stack.family()
        assert stack.end() == 0
        assert gone([*kept, *family])


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children whose parent was killed outright")
def test_two_stacks_with_separate_folders_run_together_and_stop_cleanly(tmp_path: Path) -> None:
    closed = clean_environment(MONITORING_ACCESS="user")
    with (
        running_stack(tmp_path / "one", "--port", "0", "--ephemeral", env=closed) as one,
        running_stack(tmp_path / "two", "--port", "0") as two,
    ):
        assert one.url != two.url
        assert get_json(f"{one.url}/api/v1/health/ping")["message"] == "pong"
        assert get_json(f"{two.url}/api/v1/health/ping")["message"] == "pong"
        assert_a_second_worker_has_a_name_of_its_own(one)
        logs = Path(next(line for line in one.text.splitlines() if line.startswith("  Logs ")).split()[1])
        assert logs.is_dir()
        assert one.end(signal.SIGTERM) == 0
        assert not logs.parent.exists()  # the ephemeral database deletes its folder
        family = two.family()
        assert two.end(signal.SIGKILL) == -signal.SIGKILL
        assert family_is_gone(family)


def assert_a_second_worker_has_a_name_of_its_own(stack: Stack) -> None:
    redis = next(line.split()[1] for line in stack.text.splitlines() if line.startswith("  Redis "))
    command = [str(BIN / "inference-core"), "worker", "--name"]
    env = clean_environment(REDIS_URL=redis)
    taken = subprocess.run(
        [*command, f"stack-{stack.url.rpartition(':')[2]}"], env=env, capture_output=True, text=True, check=False
    )
    assert taken.returncode == 1
    assert "is already running (process " in taken.stderr
    assert len(taken.stderr.splitlines()) == 1
    with keys_of_service(redis) as client, subprocess.Popen([*command, "second"], env=env) as second:
        wait_until(lambda: client.hlen(WORKERS_KEY) == 2, within_s=90, what="both workers seen")
        second.terminate()
        assert second.wait(30) == 0


@pytest.mark.full
def test_data_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with start_stack(tmp_path, "--port", "0", "--data", "data") as stack:
        assert stack.process.wait(30) == 1
    (line,) = stack.text.splitlines()
    assert line == "inference-core: the data folder data cannot be written: File exists; choose another with --data"


def test_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with start_stack(tmp_path, "--port", str(port)) as stack:
            assert stack.process.wait(30) == 1
    (line,) = stack.text.splitlines()
    assert line.startswith(
        f"inference-core: port {port} is in use; stop the program that listens there, or choose another"
    )
    assert "--port 8001, or PORT=8001 with make" in line


@pytest.mark.parametrize(
    ("env_file", "expected"),
    [
        ("DEBUG=true\nthis is no setting\n", "settings: .env line 2: not NAME=value"),
        pytest.param(
            "ACCESS_TOKEN_EXPIRE_MINUTES=soon\n", "settings: ACCESS_TOKEN_EXPIRE_MINUTES: ", marks=pytest.mark.full
        ),
        pytest.param(
            "DATABASE_URL=oracle://db/x\n",
            "settings: DATABASE_URL: names an unknown database 'oracle'",
            marks=pytest.mark.full,
        ),
        pytest.param("ENVIRONMENT=production\n", "SECRET_KEY", marks=pytest.mark.full),
        ("REDIS_URL=redis://127.0.0.1:1/0\n", "REDIS_URL names redis://127.0.0.1:1/0, which does not respond"),
    ],
)
def test_bad_settings_are_one_line_and_nothing_starts(tmp_path: Path, env_file: str, expected: str) -> None:
    (tmp_path / ".env").write_text(env_file)
    with start_stack(tmp_path, "--port", "0") as stack:
        assert stack.process.wait(30) == 1
    assert len(stack.text.splitlines()) == 1
    assert expected in stack.text


@pytest.mark.full
def test_an_interrupt_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with start_stack(tmp_path, "--port", "0", "--data", "data") as stack:
        wait_until((tmp_path / "data" / "logs" / "worker.log").exists, within_s=60, what="the worker started")
        family = stack.family()
        assert family
        assert stack.end(signal.SIGINT) == 0
        wait_until(lambda: gone(family), what="the stack's processes gone")
    assert not URL_LINE.search(stack.text)


def test_help_names_the_commands() -> None:
    command = [BIN / "inference-core", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("up", "worker", "migrate", "create-superuser"):
        assert name in text


@pytest.mark.full
def test_create_superuser_creates_the_database_and_refuses_a_duplicate_name(tmp_path: Path) -> None:
    command = [BIN / "inference-core", "create-superuser", "--username", "boss", "--email", "boss@example.com"]
    environment = clean_environment(SUPERUSER_PASSWORD="a fine long pass phrase")
    results = [
        subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [result.returncode for result in results] == [0, 1], results
    assert results[0].stdout.startswith("created superuser boss with id ")
    (line,) = results[1].stderr.splitlines()
    assert line.startswith("inference-core: ")
    assert "already exists" in line
