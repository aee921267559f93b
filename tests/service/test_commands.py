"""Commands: whatever is set or closed, and however narrow the terminal is, a user reads lines and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference_core.app.application import create_application
from inference_core.app.cli import command_line
from inference_core.service import service
from tests.support.settings import Settings
from tests.support.stack import ROOT

SUPERUSER = ["create-superuser", "--username", "abc", "--email", "a@example.com", "--password", "correct horse 7"]
DATABASE = [["migrate"], ["upgrade"], ["downgrade", "llm_0001"], ["current"], ["revision", "-m", "x"]]
COMMANDS = [["up", "--port", "0"], ["worker"], *DATABASE, SUPERUSER]
REFUSED_URL = "postgres://h/x?schema=public"
# How whoever starts the service may start it without our command.
SERVERS = [
    pytest.param(["-m", "uvicorn", "inference_core.main:app", "--port", "0"], id="uvicorn"),
    pytest.param(["-m", "fastapi", "run", "--port", "0"], id="fastapi", marks=pytest.mark.full),
    pytest.param(
        ["-m", "celery", "-A", "inference_core.celery.celery_main:celery_app", "worker", "--queues=default"],
        id="celery",
        marks=pytest.mark.full,
    ),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", REFUSED_URL),
        ("SECRET_KEY", " "),
        ("ARGON2_MEMORY_KIB", "99999999999"),
        ("PUBLIC_URL", "javascript:alert(1)"),
        ("MAIL_FROM", "a@example.com\r\nBcc: b@example.com"),
    ],
)
def test_every_command_names_a_wrong_setting_in_one_line(
    command: list[str], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    result = CliRunner().invoke(command_line(service), command)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"inference-core: settings: {name}: ")
    assert result.stdout == ""


NO_FILE = {"sqlite:////proc/none/x.db": "FileNotFoundError", "sqlite:////dev/null/x.db": "FileExistsError"}


@pytest.mark.parametrize("url", NO_FILE)
def test_a_file_that_does_not_exist_has_no_revision(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    result = CliRunner().invoke(command_line(service), ["current"])
    assert result.exit_code == 0
    assert "base" in result.stdout


UNUSABLE = {
    **NO_FILE,
    "sqlite:///text.db": "file is not a database",
    "postgresql://nobody:hunter2@127.0.0.1:1/x?sslmode=prefer": "127.0.0.1:1",
    "mysql://nobody:hunter2@127.0.0.1:1/x?ssl-mode=REQUIRED": "127.0.0.1:1",
}


@pytest.mark.parametrize(
    ("command", "url"),
    [
        pytest.param(command, url, id=f"{command[0]}-{url}")
        for command in (*DATABASE, SUPERUSER)
        for url in UNUSABLE
        if command[0] != "current" or url not in NO_FILE
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(
    command: list[str], url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "text.db").write_text("this is text\n" * 400)
    monkeypatch.setenv("DATABASE_URL", url)
    result = CliRunner().invoke(command_line(service), command)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    action = "read" if command[0] in {"current", "revision"} else "migrate"
    assert line.startswith(f"inference-core: database: cannot {action} ")
    assert UNUSABLE[url] in line
    assert "hunter2" not in line


@pytest.mark.parametrize("columns", ["20", "40", "80", "200"])
def test_help_and_wrong_options_fit_any_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for command in [*(command[0] for command in COMMANDS), "openapi", "llm-sim"]:
        shown = CliRunner().invoke(command_line(service), [command, "--help"])
        assert (shown.exit_code, shown.exception) == (0, None)
        wrong = CliRunner().invoke(command_line(service), [command, "--nonsense"])
        assert wrong.exit_code == 2
        assert "nonsense" in wrong.stderr
        assert "Traceback" not in wrong.stderr


def test_a_misspelt_name_is_told_once_and_does_not_stop_the_command(folder: Path) -> None:
    (folder / ".env").write_text("DATABSE_URL=sqlite:///mine.db\nDATABASE_URL=sqlite:///other.db\nOPENAI_API_KEY=x\n")
    result = CliRunner().invoke(command_line(service), ["migrate"])
    assert result.exit_code == 0
    assert [line for line in result.stderr.splitlines() if line.startswith("inference-core:")] == [
        "inference-core: settings: .env line 1: DATABSE_URL is not a setting and is ignored; did you mean DATABASE_URL?"
    ]


def test_a_folder_that_cannot_be_written_is_one_line() -> None:
    result = CliRunner().invoke(command_line(service), ["up", "--port", "0", "--data", "data", "--logs", "/proc/none"])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line == "inference-core: /proc/none: No such file or directory"


def shell(line: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, with `$python` in it; its status is that of the first command of a pipe."""
    env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    env |= {"PYTHONPATH": str(ROOT), "python": sys.executable, "LANG": "C", "PYTHONIOENCODING": "ascii", **extra}
    main = "from inference_core.entry import main; main()"
    line = f'set -o pipefail; command() {{ "$python" -c "{main}" "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=100, check=False, env=env)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("command migrate <&- >&- 2>&-", {0}),
        ("command --help >/dev/full", {1}),
        ("command llm-sim --port 0 | true", {1, 141}),
        *(
            pytest.param(line, status, marks=pytest.mark.full)
            for line, status in [
                ("command migrate | true", {0, 1, 141}),
                ("command migrate >&-", {0}),
                ("command migrate 2>&-", {0}),
                ("command --help | true", {0, 1, 141}),
                ("command migrate --help >/dev/full", {1}),
                ("DATABASE_URL=nonsense command migrate 2>&-", {1}),
                ("command up --port 0 --data /proc/none 2>&1 >&- | true", {1, 120, 141}),
            ]
        ),
    ],
)
def test_closed_output_is_no_traceback(line: str, status: set[int]) -> None:
    result = shell(line)
    assert "Traceback" not in result.stderr
    assert "Error" not in result.stderr
    assert result.returncode in status, (result.returncode, result.stderr)


@pytest.mark.parametrize("server", SERVERS)
def test_servers_name_a_wrong_setting_in_one_line(server: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = shell(f'COLUMNS=20 "$python" {" ".join(server)}', DATABASE_URL=REFUSED_URL)
    assert result.returncode == 1
    said = [line for line in (result.stdout + result.stderr).splitlines() if "settings: " in line]
    assert len(said) == 1
    assert said[0].startswith("settings: DATABASE_URL: has the parameter 'schema'")
    assert "Traceback" not in result.stdout + result.stderr


def test_the_api_tells_a_misspelt_name_in_its_log(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / ".env").write_text("LOG_LEVLE=DEBUG\nLOG_FORMAT=json\n")
    create_application()
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "unknown_setting" in line]
    assert [(line["level"], line["detail"].rpartition("; ")[2]) for line in told] == [
        ("warning", "did you mean LOG_LEVEL?")
    ]
