"""`inference-core create-superuser` as an operator runs it: by hand, in a script, and with mistakes."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inference_core.app.cli import command_line
from inference_core.service import service
from tests.support.processes import wait_until
from tests.support.stack import BIN, SETTINGS_OF_THE_SHELL, clean_environment
from tests.support.terminal import Terminal

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
    assert "no password was given; type one, or set SUPERUSER_PASSWORD" in nobody_there.stderr
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


def test_on_a_terminal_each_answer_is_checked_when_it_is_given(folder: Path) -> None:
    answers = [
        ("Username: ", "the boss"),
        ("Username: ", "third"),
        ("Email: ", "nowhere"),
        ("Email: ", "third@example.com"),
        ("Password: ", "Password1"),
        ("Password: ", GOOD["password"]),
        ("confirmation: ", "another pass phrase"),
        ("Password: ", GOOD["password"]),
        ("confirmation: ", GOOD["password"]),
    ]
    with Terminal([str(BIN / "inference-core"), "create-superuser"], folder, clean_environment(), 200) as terminal:
        for number, (prompt, answer) in enumerate(answers):
            asked = sum(earlier == prompt for earlier, _ in answers[: number + 1])
            wait_until(
                lambda prompt=prompt, asked=asked: terminal.everything().count(prompt.rstrip()) >= asked,
                within_s=60,
                what=prompt,
            )
            terminal.type_line(answer)
        assert terminal.process.wait(60) == 0
        wait_until(lambda: "created superuser third" in terminal.everything(), within_s=10, what="the end")
        shown = terminal.everything()
    for problem in ("username: String should match", "email: value is not", "too common", "The two entries differ."):
        assert problem in shown
    assert GOOD["password"] not in shown


def test_in_a_pipe_the_first_wrong_answer_ends_it(folder: Path) -> None:
    with contextlib.chdir(folder):
        refused = CliRunner().invoke(command_line(service), ["create-superuser"], input="the boss\nx@example.com\n")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("inference-core: username: String should match")
    assert "Email" not in refused.stdout
