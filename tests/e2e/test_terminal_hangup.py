"""Test that a command ends with its terminal, even if its parent is another process."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.processes import wait_until
from tests.support.stack import BIN, clean_environment, gone
from tests.support.terminal import Terminal, behind_make

IGNORING = 'trap "" HUP; "$@" & wait $!'
WAITING = """
import signal, sys, time
from pathlib import Path
from {module} import hang_up_with_terminal
def end(number, frame):
    Path(sys.argv[1]).write_text("hung up")
    sys.exit(0)
hang_up_with_terminal()
signal.signal(signal.SIGHUP, end)
Path(sys.argv[1]).write_text("waiting")
while True:
    time.sleep(0.05)
"""


def take_terminal(terminal: int) -> None:
    """Make it the controlling terminal, and handle its SIGHUP, which the parent process may ignore."""
    os.close(os.open(os.ttyname(terminal), os.O_RDWR))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("module", ["inference_core.app.stack.terminal", "loadgate.runner.terminal_watch"])
@pytest.mark.parametrize("ignored", [False, True], ids=["plain", "nohup"])
def test_a_command_ends_with_its_terminal_unless_it_ignores_sighup(module: str, ignored: bool, tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    word = tmp_path / "word"
    program = [sys.executable, "-c", WAITING.format(module=module), str(word)]
    command = ["/bin/sh", "-c", IGNORING, "sh", *program] if ignored else behind_make(program)
    leader = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: take_terminal(terminal),  # noqa: PLW1509  # no threads here
    )
    os.close(terminal)
    try:
        wait_until(lambda: word.exists() and word.read_text() == "waiting", within_s=30)
        os.close(master)
        if ignored:
            with pytest.raises(subprocess.TimeoutExpired):
                leader.wait(1.5)
            assert word.read_text() == "waiting"
        else:
            wait_until(lambda: word.read_text() == "hung up", within_s=10, what="the command ended")
            leader.wait(10)
    finally:
        if leader.poll() is None:
            os.killpg(leader.pid, signal.SIGKILL)
            leader.wait(10)


@pytest.mark.full
def test_a_stack_behind_make_ends_with_its_terminal(tmp_path: Path) -> None:
    command = behind_make([str(BIN / "inference-core"), "up", "--port", "0", "--ephemeral"])
    with Terminal(command, tmp_path, clean_environment(), columns=200) as shown:
        shown.wait_for(lambda rows: any("is ready." in row for row in rows), "the stack's greeting", within_s=90)
        family = psutil.Process(shown.process.pid).children(recursive=True)
        assert len(family) > 3
        shown.close()
        try:
            wait_until(lambda: gone(family), within_s=30, what="the stack's processes gone")
        finally:
            for process in family:
                if process.is_running():
                    process.kill()
