"""Test `inference-core up --reload`: which files are watched, and how the processes are restarted."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import inference_core
from inference_core.app.cli import command_line
from inference_core.app.stack.children import ChildDiedError, Children
from inference_core.app.stack.reload import RELOADED, Reloader, Sources, source_folders
from inference_core.app.stack.stop_signals import StopSignals
from inference_core.service import service

DEADLINE_S = 60.0
LIVES = "import time; print('started', flush=True); time.sleep(600)"
"""The command of a process that runs until it is stopped."""


def touch(path: Path, text: str = "") -> None:
    """Write a file, with a modification time that no earlier one has."""
    before_ns = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before_ns + 10**9, before_ns + 10**9))


def test_python_files_that_are_created_changed_or_deleted_are_changes(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    (package / "orders").mkdir(parents=True)
    first, second = package / "service.py", package / "orders" / "router.py"
    touch(first)
    sources = Sources([package])
    assert sources.changed() == []
    touch(second)
    (package / "notes.txt").write_text("no code")
    assert sources.changed() == [second]
    assert sources.changed() == []
    touch(first, "x = 1")
    second.unlink()
    assert sources.changed() == [second, first]


def test_the_service_and_inference_core_are_watched_if_they_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert source_folders() == [Path(inference_core.__file__).parent]
    monkeypatch.setattr(inference_core, "__file__", "/usr/lib/python3/site-packages/inference_core/__init__.py")
    assert "site-packages" not in str(source_folders())


class Stack:
    """Processes that are reloaded, and one that is not."""

    def __init__(self, children: Children, folder: Path) -> None:
        self.children, self.file, self.said = children, folder / "code.py", []
        touch(self.file, LIVES)
        run = f"exec(open({str(self.file)!r}).read())"
        commands = dict.fromkeys(RELOADED, run) | {"redis": LIVES}
        self.running = {name: children.start(name, [sys.executable, "-c", code], {}) for name, code in commands.items()}
        self.reloader = Reloader(children, Sources([folder]), self.said.append, lambda: True)

    def pids(self) -> dict[str, int]:
        return {name: child.process.pid for name, child in self.running.items()}

    def poll_until(self, words: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not any(words in line for line in self.said):
            assert time.monotonic() < deadline, self.said
            self.reloader.poll()
            time.sleep(0.02)


@pytest.fixture
def stop_signals() -> Iterator[StopSignals]:
    with StopSignals() as found:
        yield found


@pytest.fixture
def stack(tmp_path: Path, stop_signals: StopSignals) -> Iterator[Stack]:
    (tmp_path / "code").mkdir()
    with Children(tmp_path / "logs", stop_signals) as children:
        yield Stack(children, tmp_path / "code")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.process
def test_a_change_restarts_the_api_and_the_worker_but_not_redis(stack: Stack) -> None:
    before = stack.pids()
    touch(stack.file, f"# changed\n{LIVES}")
    stack.poll_until("the API is ready after ")
    after = stack.pids()
    assert "code.py changed: restarting the API and the worker" in stack.said[0]
    assert {name for name in after if after[name] != before[name]} == set(RELOADED)
    assert [is_running(before[name]) for name in RELOADED] == [False, False]
    deadline = time.monotonic() + DEADLINE_S
    while (log := stack.running["api"].log.read_text()).count("started") < 1:
        assert time.monotonic() < deadline, log
    stack.children.stop()
    assert not any(map(is_running, after.values()))


@pytest.mark.process
def test_code_that_does_not_start_is_told_and_repaired_by_the_next_change(stack: Stack) -> None:
    touch(stack.file, "raise SystemExit('a mistake')")
    for name in RELOADED:
        stack.poll_until(f"{name} ended with code 1; its last lines:\n")
    assert any("a mistake\nwaiting for the next change of a file" in line for line in stack.said)
    told = len(stack.said)
    stack.reloader.poll()
    assert len(stack.said) == told
    stack.said.clear()
    touch(stack.file, LIVES)
    stack.poll_until("the API is ready after ")
    assert stack.children.ended() == {}


@pytest.mark.process
def test_the_end_of_another_process_and_a_stop_signal_end_the_stack(stack: Stack, stop_signals: StopSignals) -> None:
    stack.running["redis"].process.kill()
    stack.running["redis"].process.wait()
    with pytest.raises(ChildDiedError, match="redis ended with code -9"):
        stack.reloader.poll()
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        stack.children.restart(*RELOADED)
    pids = stack.pids()
    stack.children.stop()
    assert not any(map(is_running, pids.values()))


@pytest.mark.parametrize("environment", ["production", "testing"])
def test_it_is_refused_outside_of_development(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.setattr("inference_core.app.stack.up._settings", lambda: SimpleNamespace(environment=environment))
    result = CliRunner().invoke(command_line(service), ["up", "--port", "0", "--ephemeral", "--reload"])
    assert result.exit_code == 1
    expected = f"inference-core: --reload is for development, and ENVIRONMENT is {environment}; leave it out"
    assert result.stderr.splitlines()[-1:] == [expected]
