"""Which programs are forked from a process that has imported what they need, and that the process can be shared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.preloaded import COMMANDS, LOCUST, MODULES, ROOT, SERVERS, SERVICE, Preloaded, modules_for, run

API = [sys.executable, "-m", "uvicorn", "tests.support.service_app:app"]


def test_an_api_and_a_worker_are_forked() -> None:
    assert modules_for(API, {"PYTHONPATH": str(ROOT), "DATABASE_URL": "sqlite:///mine.db"}) == SERVICE
    assert modules_for([sys.executable, "-m", "celery", "worker"], {}) == SERVICE


def test_a_file_is_the_script_of_the_command_line_or_uses_locust() -> None:
    script = Path(sys.executable).with_name("inference-core")
    assert modules_for([sys.executable, str(script), "migrate"], {}) == COMMANDS
    assert modules_for([sys.executable, "program.py"], {}) == LOCUST
    assert modules_for([sys.executable, "-c", "pass"], {}) is None


@pytest.mark.parametrize(
    "variable", ["LD_PRELOAD", "PYTHONPATH", "PYTHONASYNCIODEBUG", "PROMETHEUS_MULTIPROC_DIR", "TZ"]
)
def test_a_variable_that_is_read_at_the_start_needs_a_start(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    assert modules_for(API, {variable: "/other"}) is None


def test_a_server_of_several_processes_is_not_forked() -> None:
    assert modules_for([*API, "--workers", "2"], {}) is None


@pytest.mark.process
def test_what_is_imported_beforehand_reads_no_setting_and_starts_no_thread(tmp_path: Path) -> None:
    (program := tmp_path / "imports.py").write_text(
        "import importlib, sys, threading\n"
        "for module in sys.argv[1:]: importlib.import_module(module)\n"
        "print(threading.active_count())\n"
    )
    wrong = {"DATABASE_URL": "nonsense", "REDIS_URL": "nonsense", "ENVIRONMENT": "nonsense"}
    command = [sys.executable, str(program), *MODULES["uvicorn"]]
    # PYTHONHASHSEED is read when Python starts, so this is a process of its own.
    env = {**os.environ, **wrong, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    done = run(command, cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


@pytest.mark.process
def test_the_test_processes_of_a_run_share_a_process_and_the_last_one_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "a run of its own")
    before = len(SERVERS)
    first, second = Preloaded(["json"]), Preloaded(["json"])
    (process,) = SERVERS[before:]
    first.close()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    second.close()
    assert process.wait(20) == 0
    third = Preloaded(["json"])
    third.close()
    assert SERVERS[-1].wait(20) == 0
