"""`inference-core create-superuser` as an operator runs it: by hand, in a script, and with mistakes."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inference_core.app.cli import command_line
from inference_core.service import service
from tests.support.stack import BIN, SETTINGS_OF_THE_SHELL, clean_environment

GOOD = {"username": "boss", "email": "boss@example.com", "password": "a fine long pass phrase"}


def arguments(given: dict[str, str]) -> list[str]:
    return ["create-superuser", *(f"--{name}={value}" for name, value in given.items() if name != "password")]


def create(folder: Path, **given: str) -> Result:
    """The command without a terminal, where nobody types; the password comes from the environment."""
    env: dict[str, str | None] = dict.fromkeys(SETTINGS_OF_THE_SHELL)
    env["SUPERUSER_PASSWORD"] = given.get("password")
    with contextlib.chdir(folder):
        return CliRunner(env=env).invoke(command_line(service), arguments(given))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database is, with one superuser in it, made by the command in a process of its own."""
    path = tmp_path_factory.mktemp("operator")
    env = clean_environment(SUPERUSER_PASSWORD=GOOD["password"])
    command = [BIN / "inference-core", *arguments(GOOD)]
    made = subprocess.run(command, cwd=path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("created superuser boss with id ")
    return path


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"username": "Boss", "email": "other@example.com"}, "already exists"),
        ({"username": "other", "email": "BOSS@example.com"}, "already exists"),
        ({"username": "b"}, "username: "),
        ({"username": "the boss"}, "username: "),
        ({"email": "nowhere"}, "email: "),
        ({"username": "other", "email": "other@example.com", "password": "seven77"}, "password: "),
        ({"username": "other", "email": "other@example.com", "password": "Password1"}, "too common"),
    ],
)
def test_what_registration_would_refuse_is_refused_in_one_line(folder: Path, wrong: dict[str, str], told: str) -> None:
    refused = create(folder, **(GOOD | wrong))
    assert (refused.exit_code, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith("inference-core: ")
    assert told in line
    assert (GOOD | wrong)["password"] not in line


def test_a_password_that_is_nowhere_given_is_asked_for(folder: Path) -> None:
    second = {"username": "second", "email": "second@example.com"}
    nobody_there = create(folder, **second)
    assert nobody_there.exit_code == 1
    assert "Password" in nobody_there.stdout + nobody_there.stderr
    assert "Traceback" not in nobody_there.stderr
    assert "set SUPERUSER_PASSWORD" in nobody_there.stderr
    command = [BIN / "inference-core", *arguments(second)]
    env = clean_environment(SUPERUSER_PASSWORD="")
    typed = f"{GOOD['password']}\n" * 2
    made = subprocess.run(
        command, cwd=folder, env=env, input=typed, capture_output=True, text=True, check=False, timeout=60
    )
    assert made.returncode == 0, made.stderr
    assert "created superuser second with id " in made.stdout
    assert made.stderr == ""
    assert GOOD["password"] not in made.stdout
