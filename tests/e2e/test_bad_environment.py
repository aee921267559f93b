"""No traceback reaches a user: every command, with a bad value of every variable, at any width, with closed output.

Each variable has a bad value with some of the commands, and every kind of bad value occurs with every command.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin
from zlib import crc32

import pytest
from pydantic import SecretStr

from loadgate.report.artefacts import RUN_FILES
from tests.support.forked_commands import ForkedCommands, Outcome
from tests.support.preloaded import LOCUST as LOCUST_MODULES
from tests.support.settings import Settings
from tests.support.stack import BIN, ROOT
from tests.support.synthetic_run import Synthetic, synthetic_document

pytestmark = [pytest.mark.full, pytest.mark.process, pytest.mark.timeout(600)]

SUITE = ROOT / "tests" / "performance" / "locustfile.py"
NOBODY = "http://127.0.0.1:9"
SERVICE_MODULES = (
    *(
        "inference_core.app.cli",
        "inference_core.app.application",
        "inference_core.app.stack.up",
        "inference_core.core.db.migrations.run",
    ),
    *("inference_core.auth.admin.service", "inference_core.app.worker_app", "inference_core.llm.simulator.serve"),
    *("uvicorn.main", "fastapi_cli.cli", "celery.bin.celery", "celery.apps.worker", "celery.apps.beat", "aiosqlite"),
)
LOADGATE_MODULES = (
    "loadgate.cli.command_line",
    "loadgate.report.history",
    "loadgate.runner.run",
    "loadgate.run.document.schema",
)
CELERY = ["-m", "celery", "-A", "inference_core.celery.celery_main:celery_app"]
SERVICE = {
    "up": [str(BIN / "inference-core"), "up", "--port", "0", "--ephemeral"],
    "worker": [str(BIN / "inference-core"), "worker"],
    "migrate": [str(BIN / "inference-core"), "migrate"],
    "create-superuser": [str(BIN / "inference-core"), "create-superuser", "--username=abc", "--email=a@example.com"],
    "uvicorn": ["-m", "uvicorn", "inference_core.main:app", "--port", "0"],
    "fastapi": ["-m", "fastapi", "run", "--port", "0"],
    "celery worker": [*CELERY, "worker", "--queues=default"],
    "celery beat": [*CELERY, "beat"],
    "celery inspect": [*CELERY, "inspect", "ping", "--timeout=0.1"],
}
LOADGATE = {
    name: [str(BIN / "loadgate"), *name.split()]
    for name in ("doctor", "history", "history --json", "report one", "report nowhere", "--version", "--help", "run -h")
} | {"schema": ["-m", "loadgate.run.document.schema"]}
LOCUST = ["-m", "locust", "-f", str(SUITE), "--headless", "-t", "1s", "--host", NOBODY]
SIMULATOR = [str(BIN / "inference-core"), "llm-sim", "--port", "0"]
# Written by the command itself, so that nothing else stands on its output.
OWN = {"up", "worker", "migrate", "create-superuser"}
READY_SIMULATOR = r"^http://127\.0\.0\.1:\d+/v1$"

GARBAGE = {
    "word": "no such ~",
    "huge": "9" * 5000,
    "bytes": os.fsdecode(b"\xff\xfe"),
    "control": "a\x1b[31m\x07\nb",
    "sign": "--1",
    "blank": " ",
}
# A text may be any word or number.
REFUSED_TEXTS = ("bytes", "control", "blank")
IN_FILES = ("word", "huge", "sign")
OTHER = GARBAGE | {"empty": "", "path": "/dev/null/x", "url": "http://[::1"}
LOADGATE_VARIABLES = (
    *("TARGET_HOST", "LOAD_PROFILE", "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "CI", "TZ", "LANG"),
    *("LC_ALL", "HOME", "TMPDIR", "XDG_CACHE_HOME", "HTTP_PROXY", "NO_PROXY", "LOADGATE_LIVE", "LOADGATE_PARENT"),
    *("LOADGATE_RUN_FOLDER", "GITHUB_STEP_SUMMARY"),
)
LOCUST_VARIABLES = (
    *("LOCUST_USERS", "LOCUST_SPAWN_RATE", "LOCUST_RUN_TIME", "LOCUST_LOGFILE", "LOCUST_CSV", "LOCUST_HTML"),
    *("LOCUST_LOGLEVEL", "LOCUST_TAGS", "LOCUST_STOP_TIMEOUT", "LOCUST_USER_CLASSES", "LOCUST_EXPECT_WORKERS"),
    *("GEVENT_TRACK_GREENLET_TREE", "GEVENT_RESOLVER", "GEVENT_MONITOR_THREAD_ENABLE"),
)
# Variables of libraries: what has to be set too, so that they are read.
KEY = {"OPENAI_API_KEY": "sk-x"}
TRACES = {"OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY}
LIBRARY_VARIABLES: dict[str, tuple[dict[str, str], str]] = {
    "OPENAI_API_KEY": ({}, "word"),
    "HTTPS_PROXY": (KEY, "url"),
    "SSL_CERT_FILE": (KEY, "path"),
    "HTTP_PROXY": ({"SENTRY_DSN": "http://key@127.0.0.1:9/1"}, "sign"),
    "OTEL_BSP_SCHEDULE_DELAY": (TRACES, "word"),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": (TRACES, "bytes"),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": (TRACES, "word"),
    "OTEL_PYTHON_TRACER_PROVIDER": (TRACES, "control"),
}
WIDTHS = (20, 200)
OUTPUTS = (("closed", "file"), ("full", "file"), ("unread", "file"), ("file", "closed"), ("closed", "closed"))


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "PYTHONPATH") if name in os.environ}
    # Nobody answers there, and who asks for a worker is told so at once.
    return kept | {"REDIS_URL": "redis://127.0.0.1:9/0", "SUPERUSER_PASSWORD": "a fine long pass phrase"} | more


def chosen(options: tuple[str, ...], *names: str) -> str:
    """One of the options, the same in every run."""
    return options[crc32(" ".join(names).encode()) % len(options)]


def kinds_for(name: str) -> tuple[str, ...]:
    annotation = Settings.model_fields[name].annotation
    is_text = annotation in {str, Path, SecretStr} or get_origin(annotation) is list
    return REFUSED_TEXTS if is_text else tuple(GARBAGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("project")
    check = f"[[tool.loadgate.doctor]]\nname = 'API'\nkind = 'http-json'\nwhere = '{NOBODY}/x'\n"
    (made / "pyproject.toml").write_text(
        "[tool.fastapi]\nentrypoint = 'inference_core.main:app'\n"
        f"[tool.loadgate]\nlocustfile = '{SUITE}'\nhost = '{NOBODY}'\n{check}"
    )
    RUN_FILES.write(synthetic_document(Synthetic(duration_s=5, names=2)), made / "one")
    return made


def forked(modules: tuple[str, ...], factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    with ForkedCommands(modules, factory.mktemp("output")) as commands:
        yield commands


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    yield from forked(SERVICE_MODULES, tmp_path_factory)


@pytest.fixture(scope="module")
def loadgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    yield from forked(LOADGATE_MODULES, tmp_path_factory)


@pytest.fixture(scope="module")
def locust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    yield from forked(LOCUST_MODULES, tmp_path_factory)


def assert_one_line(done: Outcome, variable: str, case: object, *, own: bool) -> None:
    """The command was refused by one line that names the variable."""
    assert not done.not_for_users(), (case, done)
    assert done.code == 1, (case, done)
    (line,) = [line for line in done.lines if line.removeprefix("inference-core: ").startswith("settings: ")]
    assert variable in line, (case, done)
    if own:
        assert done.lines == [line], (case, done)
        assert done.out == "", (case, done)


@pytest.mark.parametrize("command", SERVICE)
def test_every_setting_is_refused_in_one_line(command: str, service: ForkedCommands, folder: Path) -> None:
    # One of three commands in turn. Each of the three groups contains one that starts the API.
    names = list(Settings.model_fields)[list(SERVICE).index(command) % 3 :: 3]
    tried = {name: kinds_for(name)[place % len(kinds_for(name))] for place, name in enumerate(names)}
    assert set(tried.values()) == set(GARBAGE)
    env_file = folder / ".env"
    try:
        for name, kind in tried.items():
            variable, env = name.upper(), environment(folder)
            env.pop(variable, None)
            if kind in IN_FILES and chosen(("file", "environment"), name, command) == "file":
                env_file.write_text(f"{variable}={GARBAGE[kind]}\n")
            else:
                env_file.unlink(missing_ok=True)
                env[variable] = GARBAGE[kind]
            done = service.run(SERVICE[command], env, folder)
            assert_one_line(done, variable, (command, variable, kind), own=command in OWN)
    finally:
        env_file.unlink(missing_ok=True)


@pytest.mark.parametrize("variable", LIBRARY_VARIABLES)
def test_variables_of_libraries_are_refused_in_one_line(variable: str, service: ForkedCommands, folder: Path) -> None:
    others, kind = LIBRARY_VARIABLES[variable]
    for command in ("uvicorn", "celery inspect"):
        done = service.run(SERVICE[command], environment(folder, **others) | {variable: OTHER[kind]}, folder)
        assert not done.not_for_users(), (command, done)
        assert done.code == 1, (command, done)
        (line,) = done.lines
        assert variable in line, (command, done)


def test_the_simulator_reads_no_variable_of_another_server(service: ForkedCommands, folder: Path) -> None:
    env = environment(folder, WEB_CONCURRENCY="many", WEBSOCKETS_MAX_LINE_LENGTH="many", UVICORN_HTTP="none")
    done = service.run(SIMULATOR, env, folder, ready=READY_SIMULATOR)
    assert not done.not_for_users(), done
    assert re.fullmatch(READY_SIMULATOR, done.out.strip())


@pytest.mark.parametrize("command", LOADGATE)
def test_no_variable_of_the_load_gate_brings_a_traceback(command: str, loadgate: ForkedCommands, folder: Path) -> None:
    expected = loadgate.run(LOADGATE[command], environment(folder), folder).code
    for name in LOADGATE_VARIABLES:
        kind = chosen(tuple(OTHER), command, name)
        env = environment(folder, GITHUB_ACTIONS="true") | {name: OTHER[kind]}
        done = loadgate.run(LOADGATE[command], env, folder)
        assert not done.not_for_users(), (command, name, kind, done)
        if name == "TARGET_HOST" and command == "doctor" and kind != "empty":
            (line,) = done.lines
            assert (done.code, line.startswith("loadgate: TARGET_HOST: ")) == (2, True), (kind, done)
            assert len(line) < 300
        else:
            assert done.code == expected, (command, name, kind, done)


def test_no_variable_brings_a_traceback_of_locust(locust: ForkedCommands, folder: Path) -> None:
    for name in (*LOCUST_VARIABLES, *LOADGATE_VARIABLES):
        kind = chosen(tuple(OTHER), "locust", name)
        done = locust.run(LOCUST, environment(folder) | {name: OTHER[kind]}, folder)
        assert not done.not_for_users(), (name, kind, done)
        assert done.code in {1, 2}, (name, kind, done)
        if name == "LOAD_PROFILE" and kind != "empty":
            (line,) = done.lines
            assert line.startswith("loadgate: LOAD_PROFILE: unknown load profile "), (kind, done)
            assert len(line) < 300


def settings_case(command: str) -> dict[str, str]:
    """A variable of the service with a bad value."""
    name = chosen(tuple(Settings.model_fields), command)
    return {name.upper(): GARBAGE[chosen(kinds_for(name), command)]}


@pytest.mark.parametrize("columns", WIDTHS)
def test_no_width_changes_what_is_said(
    columns: int, service: ForkedCommands, loadgate: ForkedCommands, folder: Path
) -> None:
    width = environment(folder, COLUMNS=str(columns))
    for command, argv in SERVICE.items():
        ((variable, value),) = settings_case(command).items()
        done = service.run(argv, width | {variable: value}, folder)
        assert_one_line(done, variable, (command, columns), own=command in OWN)
        shown = service.run([*argv, "--help"], width, folder)
        assert (shown.code, shown.not_for_users(), shown.err) == (0, [], ""), (command, shown)
    for command, argv in LOADGATE.items():
        done = loadgate.run(argv, width, folder)
        assert not done.not_for_users(), (command, done)
        assert done.lines, command


@pytest.mark.parametrize(("stdout", "stderr"), OUTPUTS)
def test_output_that_cannot_be_written_changes_no_exit_code(
    stdout: str, stderr: str, service: ForkedCommands, loadgate: ForkedCommands, folder: Path
) -> None:
    for command, argv in SERVICE.items():
        # The others write before they load the application.
        if command in OWN or stdout == "file":
            done = service.run(argv, environment(folder) | settings_case(command), folder, stdout=stdout, stderr=stderr)
            assert not done.not_for_users(), (command, done)
            assert done.code == 1, (command, done)
    for command, argv in LOADGATE.items():
        done = loadgate.run(argv, environment(folder), folder, stdout=stdout, stderr=stderr)
        assert not done.not_for_users(), (command, done)
        assert done.code == {"doctor": 1, "report nowhere": 2}.get(command, 0), (command, done)


@pytest.mark.parametrize("command", ["uvicorn", "celery inspect", "migrate"])
@pytest.mark.parametrize(
    ("variable", "problem"),
    [("OTEL_PROPAGATORS", "Propagator b4 not found"), ("OTEL_PYTHON_CONTEXT", "context 'b4' not found")],
)
def test_unknown_names_are_refused_before_opentelemetry_is_imported(
    command: str, variable: str, problem: str, folder: Path
) -> None:
    argv = SERVICE[command]
    line = argv if Path(argv[0]).is_file() else [sys.executable, *argv]
    env = environment(folder, **{variable: "b4"})
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)
    (said,) = (done.stdout + done.stderr).splitlines()
    assert f"settings: {variable}: {problem}" in said
    assert done.returncode == 1
