"""No command line, environment, width or closed output brings a traceback: one line, and the right exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle, product
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from loadgate.report.artefacts import RUN_FILES
from tests.loadgate.running.support import ERROR, PASS, SUITE, USAGE, clean_env, finish
from tests.support.forked_commands import ForkedCommands, Outcome
from tests.support.stack import BIN
from tests.support.synthetic_run import Synthetic, synthetic_document

MODULES = ("loadgate.cli.command_line", "loadgate.report.history", "loadgate.runner.run")
NOBODY = "http://127.0.0.1:9"
COMMANDS = {
    "history": PASS,
    "history --json": PASS,
    "history --profile nobody": PASS,
    "doctor": ERROR,
    "report nowhere": USAGE,
    "history --changes": PASS,
    "history --changes --json": PASS,
    "compare latest --against nowhere": USAGE,
    "report reports/performance/runs/20260501T120000Z-light": PASS,
    "--version": PASS,
    "--help": PASS,
    "-h": PASS,
    "run -h": PASS,
}
BAD_USAGE = [
    "",
    "rnu",
    "run --users 0",
    "run -u x",
    "run -u",
    "run -r fast",
    "run --processes -2",
    "run roomy --keep 0",
    "run roomy --keep soon",
    "run roomy --put ftp://x",
    "run roomy --put x",
    "run -f nowhere.py",
    "run light --host localhost:8000",
    "run --host http://[::1",
    "run --host http://x:99999",
    "doctor --host ftp://x",
    "doctor --nonsense",
    "profiles -f .",
    "profiles -f nowhere.py",
    "capacity nothing",
    "capacity --from 5",
    "capacity --width x",
    "capacity --at-least 1..9/s",
    "report",
    "report nowhere --hdr",
    "report pyproject.toml",
    "open nowhere",
    "open latest-9",
    "open --profile nobody",
    "history --limit 0",
    "history --limit many",
    "history --prune 0",
    "history --prune -1",
    "history extra",
    "history --changes --limit 0",
    "compare",
    "compare latest",
    "compare latest --against",
    "compare --against latest",
    "compare latest --against latest",
    "compare nowhere --against latest",
    "compare latest --against latest-1",
    "baseline",
    "baseline set",
    "baseline set nowhere",
    "baseline show --profile light",
    "bisect HEAD~1 HEAD",
    "bisect HEAD~1 HEAD nonsense",
    "bisect HEAD~1 HEAD auth:p95 --pairs 1",
    "bisect HEAD HEAD auth:p95",
    "ab",
    "ab HEAD~1 HEAD",
    "ab one two three",
    "ab --pairs 1",
    "ab --rate fast",
    "ab --rate 10..200/s",
    "ab --measure soon",
    "ab --measure 1500ms",
    "ab --ignore much",
    "ab --ignore 20%",
    "ab --seed -1",
    "ab --base-url http://localhost:1",
    "ab --base-url http://localhost:1 --head-url localhost:2",
    "ab --base-url http://localhost:1 --head-url http://localhost:1",
    "ab HEAD~1 --base-url http://localhost:1 --head-url http://localhost:2",
    "ab --base-url http://localhost:1 --head-url http://localhost:2 --profile nobody",
    "k8s",
    "k8s nonsense",
    "k8s render",
    "k8s render roomy",
    "k8s render roomy --workers 0 --image x",
    "k8s render roomy --workers 2 --image A --host http://api",
    "k8s render roomy --workers 2 --image x --host http://api",
    "k8s render roomy --workers 2 --image x --host http://api --keep 0",
    "--nonsense",
]
BAD_VALUES = {
    "TARGET_HOST": ["localhost:8000", "ftp://x", "http://", "http://x:99999", "http://[::1"],
    "LOAD_PROFILE": ["nope", " ", "-x", "a\nb", "x" * 5000],
    "LOADGATE_PUT_URL": ["", "x", "ftp://x", "http://[::1", " "],
    "LOADGATE_PUT_TOKEN": ["", " ", "a\nb", "é"],
    "COLUMNS": ["0", "-1", "wide", "99999999999", "1"],
    "TERM": ["", "dumb", "nonsense", "a\nb", "x" * 300],
    "NO_COLOR": ["", "0", "1", "no", " "],
    "CI": ["", "0", "false", "no", " "],
    "LOADGATE_RUN_FOLDER": ["", "/dev/null/x", "relative", " ", "x" * 5000],
    "LOADGATE_LIVE": ["", "x", "-1", "99", "99999999999999999999"],
    "LOADGATE_PARENT": ["", "x", "1", "1 x", "1 2 3"],
    "GITHUB_ACTIONS": ["", "0", "false", "yes", " "],
    "GITHUB_STEP_SUMMARY": ["", ".", "/dev/full", "/dev/null/x", "x" * 5000],
}
OUTPUTS = ["closed", "full", "unread"]


class Case(NamedTuple):
    """A command line of `loadgate`, variables, and where its output goes."""

    line: str
    env: Mapping[str, str] = MappingProxyType({})
    stdout: str = "file"
    stderr: str = "file"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("project")
    check = f"[[tool.loadgate.doctor]]\nname = 'API'\nkind = 'http-json'\nwhere = '{NOBODY}/x'\n"
    text = f"[tool.loadgate]\nlocustfile = {json.dumps(str(SUITE))}\nhost = '{NOBODY}'\n{check}"
    (made / "pyproject.toml").write_text(text)
    runs = made / "reports" / "performance" / "runs"
    RUN_FILES.write(synthetic_document(Synthetic(duration_s=5, names=2)), runs / "20260501T120000Z-light")
    return made


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    with ForkedCommands(MODULES, tmp_path_factory.mktemp("output")) as started:
        yield started


def outcomes(commands: ForkedCommands, folder: Path, cases: Iterable[Case]) -> list[Outcome]:
    results = []
    for case in cases:
        argv = [str(BIN / "loadgate"), *case.line.split()]
        done = commands.run(argv, clean_env(**case.env), folder, stdout=case.stdout, stderr=case.stderr)
        assert not done.not_for_users(), (case, done)
        results.append(done)
    return results


def test_the_shell_completes_commands(commands: ForkedCommands, folder: Path) -> None:
    asked = {"_LOADGATE_COMPLETE": "complete_bash", "COMP_WORDS": "loadgate hi", "COMP_CWORD": "1"}
    (result,) = outcomes(commands, folder, [Case("", asked)])
    assert (result.code, result.out.split()) == (PASS, ["history"])


@pytest.mark.parametrize("found", [True, False])
def test_open_prints_the_report_and_opens_it(
    commands: ForkedCommands, folder: Path, tmp_path: Path, *, found: bool
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened}\nexit {0 if found else 1}\n')
    browser.chmod(0o755)
    environment = {"BROWSER": str(browser), "PATH": "/nowhere:/bin"}
    (result,) = outcomes(commands, folder, [Case("open", environment)])
    report = "reports/performance/runs/20260501T120000Z-light/report.html"
    assert result.out == f"{report}\n"
    assert opened.read_text() == (folder / report).as_uri()
    if found:
        assert (result.code, result.err) == (PASS, "")
    else:
        assert result.code == ERROR
        assert result.err == "loadgate: no browser was found; open the file above in one\n"


def test_bad_usage_is_one_line_and_exit_code_2(commands: ForkedCommands, folder: Path) -> None:
    for line, result in zip(BAD_USAGE, outcomes(commands, folder, [Case(line) for line in BAD_USAGE]), strict=True):
        if not line:
            assert result.err.startswith("Usage: loadgate ")
            assert "\n    loadgate run light\n" in result.err
            assert (result.code, result.out) == (USAGE, "")
            continue
        (said,) = result.err.splitlines()
        assert said.startswith("loadgate: "), (line, result)
        assert result.code == USAGE, (line, result)


def test_no_environment_variable_causes_a_traceback(commands: ForkedCommands, folder: Path) -> None:
    # A bad value meets one of the commands, and each command meets bad values of every variable.
    lines = ("history", "doctor", "report nowhere")
    tried = [
        (name, value, line)
        for name, values in BAD_VALUES.items()
        for value, line in zip(values, cycle(lines), strict=False)
    ]
    tried += [("TARGET_HOST", value, "doctor") for value in BAD_VALUES["TARGET_HOST"]]
    results = outcomes(commands, folder, [Case(line, {name: value}) for name, value, line in tried])
    for (name, value, line), result in zip(tried, results, strict=True):
        is_bad_host = name == "TARGET_HOST" and line == "doctor"
        assert result.code == (USAGE if is_bad_host else COMMANDS[line]), (name, value, line, result)
        assert len(result.err.splitlines()) == (is_bad_host or line.startswith("report")), (name, value, result)


@pytest.mark.parametrize("columns", [20, 200])
def test_every_command_prints_the_same_text_at_any_width(commands: ForkedCommands, folder: Path, columns: int) -> None:
    lines = [*COMMANDS, *filter(None, BAD_USAGE)]
    results = outcomes(commands, folder, [Case(line, {"COLUMNS": str(columns)}) for line in lines])
    for line, result in zip(lines, results, strict=True):
        assert result.code == COMMANDS.get(line, USAGE), (line, result)
        assert result.out or result.err, line
        if line == "history":
            too_wide = [part for part in result.out.splitlines() if len(part) > columns and " " in part.strip()]
            assert not too_wide, (columns, too_wide)


def test_outputs_that_are_closed_full_or_unread_change_no_exit_code(commands: ForkedCommands, folder: Path) -> None:
    lines = [*COMMANDS, "rnu", "doctor --host ftp://x", "history --limit 0"]
    places = [*({"stdout": kind} for kind in OUTPUTS), *({"stderr": kind} for kind in OUTPUTS)]
    places += [{"stdout": kind, "stderr": kind} for kind in OUTPUTS]
    tried = list(product(lines, places))
    results = outcomes(commands, folder, [Case(line, **place) for line, place in tried])
    for (line, place), result in zip(tried, results, strict=True):
        assert result.code == COMMANDS.get(line, USAGE), (line, place, result)
        if place.get("stdout") in {"full", "unread"} and "stderr" not in place and COMMANDS.get(line) == PASS:
            (said,) = result.err.splitlines()
            assert said.startswith("loadgate: standard output cannot be written"), (line, place)


def test_variables_of_another_run_and_invalid_numbers_are_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "locust", "-f", str(SUITE), "--headless", "-t", "1s", "--host", NOBODY]
    left_over = {"LOADGATE_LIVE": "x", "LOADGATE_PARENT": "x", "COLUMNS": "wide"}
    tried = {
        ERROR: [left_over],
        USAGE: [{"LOCUST_USERS": "-5"}, {"LOCUST_USERS": "9" * 25}, {"LOAD_PROFILE": "a\nb"}],
    }
    for code, environments in tried.items():
        for env in environments:
            done = finish(command, tmp_path, **env)
            assert done.returncode == code, (env, done.stderr)
            # A line before it may say that the environment overrides the profile.
            *_, said = lines = [line for line in done.stderr.splitlines() if "/INFO/" not in line]
            assert all(line.startswith("loadgate: ") for line in lines), (env, lines)
            assert len(lines) <= 2, (env, lines)
            assert "overrides" not in said, (env, lines)
