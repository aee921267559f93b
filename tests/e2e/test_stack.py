"""`inference-core up`: ready means ready, every mistake is one line, and nothing is ever left running."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from inference_core.celery.worker_state import WORKERS_KEY
from tests.support.accounts import new_registration
from tests.support.mailbox import link_in, wait_for_mails
from tests.support.processes import keys_of_service, wait_until
from tests.support.raw_http import head_limits_hold
from tests.support.stack import BIN, URL_LINE, clean_environment, gone, running_stack, start_stack


def get_json(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=10) as response:
        body = json.load(response)
    assert isinstance(body, dict)
    return body


def post_json(url: str, body: dict[str, str]) -> int:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return int(response.status)


def assert_a_password_is_reset_by_mail(url: str, outbox: Path) -> None:
    """As a newcomer tries it: the mail is a file, and its link leads to the stack itself."""
    account, accounts = new_registration(), f"{url}/api/v1/auth"
    assert post_json(f"{accounts}/register", account) == 201
    assert post_json(f"{accounts}/forgot-password", {"email": account["email"]}) == 200
    link, _, token = link_in(wait_for_mails(outbox, account["email"], 1)[0]).partition("#token=")
    assert link == f"{url}/reset-password"
    with urllib.request.urlopen(link, timeout=10) as response:
        assert "Choose a new password" in response.read().decode()
    assert post_json(f"{accounts}/reset-password", {"token": token, "new_password": "BrandNew789!"}) == 200
    assert post_json(f"{accounts}/login", {"username": account["email"], "password": "BrandNew789!"}) == 200


def test_ready_stack_serves_health_and_has_a_worker_and_ctrl_c_ends_all_of_it(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--port", "0", "--data", "data") as stack:
        assert get_json(f"{stack.url}/api/v1/health/ping")["message"] == "pong"
        assert head_limits_hold(int(stack.url.rpartition(":")[2]))
        assert get_json(f"{stack.url}/api/v1/health/database")["status"] == "healthy"
        assert get_json(f"{stack.url}/api/v1/tasks/health")["active_workers"] == 1
        assert_a_password_is_reset_by_mail(stack.url, tmp_path / "data" / "outbox")
        family = stack.family()
        names = " ".join(" ".join(process.cmdline()) for process in family)
        assert "celery" in names
        assert "uvicorn" in names
        assert stack.end(signal.SIGINT) == 0
        wait_until(lambda: gone(family), what="the stack's processes gone")
    assert (tmp_path / "data" / "inference_core.db").exists()


def test_a_stack_with_closed_monitoring_is_ready_too_and_a_second_worker_has_a_name_of_its_own(tmp_path: Path) -> None:
    closed = clean_environment(MONITORING_ACCESS="user")
    with running_stack(tmp_path, "--port", "0", env=closed) as stack:
        redis = next(line.split()[1] for line in stack.text.splitlines() if line.startswith("redis "))
        command = [str(BIN / "inference-core"), "worker", "--name"]
        env = clean_environment(REDIS_URL=redis)
        taken = subprocess.run(
            [*command, f"stack-{stack.url.rpartition(':')[2]}"], env=env, capture_output=True, text=True, check=False
        )
        assert taken.returncode == 1
        assert "runs already (process " in taken.stderr
        assert len(taken.stderr.splitlines()) == 1
        with keys_of_service(redis) as client, subprocess.Popen([*command, "second"], env=env) as second:
            wait_until(lambda: client.hlen(WORKERS_KEY) == 2, within_s=30, what="both workers seen")
            second.terminate()
            assert second.wait(30) == 0


def test_second_run_on_the_same_data_keeps_accounts(tmp_path: Path) -> None:
    account = {"username": "keeper", "email": "keeper@example.com", "password": "correct horse battery"}
    body = json.dumps(account).encode()
    for expected in (201, 409):
        with running_stack(tmp_path, "--port", "0", "--data", "data") as stack:
            request = urllib.request.Request(
                f"{stack.url}/api/v1/auth/register", body, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    status = response.status
            except urllib.error.HTTPError as error:
                status = error.code
            assert status == expected
            assert stack.end(signal.SIGTERM) == 0


def test_two_stacks_with_folders_of_their_own_run_side_by_side(tmp_path: Path) -> None:
    with running_stack(tmp_path / "one", "--port", "0") as one, running_stack(tmp_path / "two", "--port", "0") as two:
        assert one.url != two.url
        assert get_json(f"{one.url}/api/v1/health/ping")["message"] == "pong"
        assert get_json(f"{two.url}/api/v1/health/ping")["message"] == "pong"


def test_second_stack_in_the_same_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--port", "0", "--data", "data") as first:
        with start_stack(tmp_path / "other", "--port", "0", "--data", str(tmp_path / "data")) as second:
            assert second.process.wait(30) == 1
        assert len(second.text.splitlines()) == 1
        assert f"a stack runs in {tmp_path / 'data'} already (process {first.process.pid}); stop it" in second.text


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
    assert line.startswith(f"inference-core: port {port} is taken; stop what listens there, or choose another one: ")
    assert "--port 8001, or PORT=8001 with make" in line


@pytest.mark.parametrize(
    ("env_file", "expected"),
    [
        ("DEBUG=true\nthis is no setting\n", "settings: .env line 2: not NAME=value"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES=soon\n", "settings: ACCESS_TOKEN_EXPIRE_MINUTES: "),
        ("DATABASE_URL=oracle://db/x\n", "settings: DATABASE_URL: names an unknown database 'oracle'"),
        ("ENVIRONMENT=production\n", "SECRET_KEY"),
        ("REDIS_URL=redis://127.0.0.1:1/0\n", "REDIS_URL names redis://127.0.0.1:1/0, which does not answer"),
    ],
)
def test_bad_settings_are_one_line_and_nothing_starts(tmp_path: Path, env_file: str, expected: str) -> None:
    (tmp_path / ".env").write_text(env_file)
    with start_stack(tmp_path, "--port", "0") as stack:
        assert stack.process.wait(30) == 1
    assert len(stack.text.splitlines()) == 1
    assert expected in stack.text


def test_child_that_dies_ends_the_stack_with_its_last_lines(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--port", "0") as stack:
        family = stack.family()
        api = next(process for process in family if "uvicorn" in " ".join(process.cmdline()))
        api.kill()
        assert stack.process.wait(30) == 1
        wait_until(lambda: gone(family), what="the stack's processes gone")
    assert "inference-core: api ended with code -9; its last lines:" in stack.text


def test_interrupt_during_start_leaves_nothing(tmp_path: Path) -> None:
    with start_stack(tmp_path, "--port", "0", "--data", "data") as stack:
        wait_until((tmp_path / "data" / "logs" / "worker.log").exists, within_s=60, what="the worker started")
        family = stack.family()
        assert family
        assert stack.end(signal.SIGINT) == 0
        wait_until(lambda: gone(family), what="the stack's processes gone")
    assert not URL_LINE.search(stack.text)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children whose parent was killed outright")
def test_killed_stack_takes_its_children_along(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--port", "0") as stack:
        family = stack.family()
        assert stack.end(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: gone(family), within_s=30, what="the stack's processes gone")


def test_ephemeral_stack_removes_its_folder(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--port", "0", "--ephemeral") as stack:
        logs = Path(next(line for line in stack.text.splitlines() if line.startswith("logs")).split()[1])
        assert logs.is_dir()
        assert stack.end(signal.SIGTERM) == 0
    assert not logs.parent.exists()


def test_help_names_the_commands() -> None:
    command = [BIN / "inference-core", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("up", "worker", "migrate", "create-superuser"):
        assert name in text


def test_create_superuser_makes_the_database_and_refuses_a_second_of_the_name(tmp_path: Path) -> None:
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
    assert results[0].stdout.startswith("superuser boss made, id ")
    (line,) = results[1].stderr.splitlines()
    assert line.startswith("inference-core: ")
    assert "exists already" in line
