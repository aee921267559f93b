"""`inference-core create-superuser` as an operator runs it: by hand, in a script, and with mistakes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.stack import BIN, clean_environment

GOOD = {"username": "boss", "email": "boss@example.com", "password": "a fine long pass phrase"}


def create(folder: Path, *, typed: str = "", **given: str) -> subprocess.CompletedProcess[str]:
    """The command without a terminal; the password comes from the environment, or is typed."""
    names = [f"--{name}={value}" for name, value in given.items() if name != "password"]
    secret = {"SUPERUSER_PASSWORD": given["password"]} if "password" in given else {}
    return subprocess.run(
        [BIN / "inference-core", "create-superuser", *names],
        cwd=folder,
        env=clean_environment(**secret),
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database is, with one superuser in it."""
    path = tmp_path_factory.mktemp("operator")
    made = create(path, **GOOD)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("superuser boss made, id ")
    return path


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"username": "Boss", "email": "other@example.com"}, "exists already"),
        ({"username": "other", "email": "BOSS@example.com"}, "exists already"),
        ({"username": "b"}, "username: "),
        ({"username": "the boss"}, "username: "),
        ({"email": "nowhere"}, "email: "),
        ({"username": "other", "email": "other@example.com", "password": "seven77"}, "password: "),
        ({"username": "other", "email": "other@example.com", "password": "Password1"}, "most common"),
    ],
)
def test_what_registration_would_refuse_is_refused_in_one_line(folder: Path, wrong: dict[str, str], told: str) -> None:
    refused = create(folder, **(GOOD | wrong))
    assert (refused.returncode, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith("inference-core: ")
    assert told in line
    assert (GOOD | wrong)["password"] not in line


def test_a_password_that_is_nowhere_given_is_asked_for(folder: Path) -> None:
    second = {"username": "second", "email": "second@example.com"}
    nobody_there = create(folder, **second)
    assert nobody_there.returncode == 1
    assert "Password" in nobody_there.stdout + nobody_there.stderr
    assert "Traceback" not in nobody_there.stderr
    made = create(folder, typed=f"{GOOD['password']}\n" * 2, **second)
    assert made.returncode == 0, made.stderr
    assert "superuser second made, id " in made.stdout
    assert GOOD["password"] not in made.stdout + made.stderr
