"""Run small suites as child processes, and read their artefacts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support import preloaded

FULL = pytest.mark.full
PASS, ERROR, USAGE, INCONCLUSIVE, FAIL = 0, 1, 2, 98, 99
SUITE = Path(__file__).parents[1] / "suites" / "locustfile.py"
STUB = Path(__file__).parents[1] / "stub_server.py"
PATIENT = {"TEST_HEARTBEATS": "30"}
"""The default for runs, which lose no worker: on a busy machine, a process can stand still for seconds."""
_OURS = re.compile(r"LOCUST_|LOADGATE_|LOAD_PROFILE|TARGET_HOST|TEST_|COLUMNS$|LINES$")


def clean_env(**more: str) -> dict[str, str]:
    """Return this environment without variables for Locust, the gate and the terminal's width."""
    return {name: value for name, value in os.environ.items() if not _OURS.match(name)} | PATIENT | more


def locust_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", str(SUITE), "--headless", *arguments]


def loadgate_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "loadgate.cli", *arguments]


def finish(command: list[str], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` to its end."""
    return preloaded.run(command, cwd=folder, env=clean_env(**env))


def locust(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run plain Locust with the small suite."""
    return finish(locust_command(*arguments), folder, **env)


class Started:
    """Run a command in the background. Its output is in `folder`."""

    def __init__(self, command: list[str], folder: Path, **env: str) -> None:
        self.log = folder / f"output-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = preloaded.start(command, cwd=folder, env=clean_env(**env), stdout=log, stderr=log)

    @property
    def output(self) -> str:
        return self.log.read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                self.process.kill()
            self.process.wait(10)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, within_s: float = 60) -> int:
        return self.process.wait(within_s)


class WebUi:
    """Locust's web interface at `base`."""

    def __init__(self, base: str) -> None:
        self.base = base

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.base + path, timeout=10) as response:
            return str(response.read().decode())

    def start(self, host: str, users: int = 4, spawn_rate: float = 20) -> None:
        """Start a run, or edit the current one."""
        answer = self.swarm(user_count=users, spawn_rate=spawn_rate, host=host, run_time="1m")
        assert answer["success"], answer

    def swarm(self, **fields: Any) -> dict[str, Any]:
        """Send the form that starts a run. Return the response."""
        form = urllib.parse.urlencode(fields)
        with urllib.request.urlopen(self.base + "/swarm", form.encode(), timeout=10) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer

    def stop(self) -> None:
        urllib.request.urlopen(self.base + "/stop", b"", timeout=30).close()

    def workers(self) -> int:
        """Return the number of connected workers."""
        return len(json.loads(self.get("/stats/requests"))["workers"])

    def is_up(self) -> bool:
        try:
            return "Locust" in self.get("/")
        except OSError:
            return False


@contextmanager
def web_ui(folder: Path, *arguments: str, base: str = "", **env: str) -> Iterator[tuple[WebUi, Started]]:
    """Locust with its web interface; `base` is its path."""
    port = free_port()
    command = [part for part in locust_command(*arguments) if part != "--headless"]
    command += ["--web-host", "127.0.0.1", "--web-port", str(port), *(("--web-base-path", base) if base else ())]
    with Started(command, folder, **env) as started:
        ui = WebUi(f"http://127.0.0.1:{port}{base}")
        wait_until(ui.is_up, "the web interface")
        if "--processes" in arguments:
            # Locust refuses to start a run before a worker has connected.
            wait_until(lambda: ui.workers() == int(arguments[arguments.index("--processes") + 1]), "the workers")
        yield ui, started


def wait_until(condition: Callable[[], object], what: str, within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def master_ports() -> list[str]:
    """Return options that isolate a master and its workers."""
    port = str(free_port())
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


def run_folder(folder: Path) -> Path:
    """Return the folder of the only run in `folder`."""
    (found,) = (folder / "reports" / "performance" / "runs").iterdir()
    return found


def document(folder: Path) -> dict[str, Any]:
    """Return the run.json of the only run in `folder`."""
    read: dict[str, Any] = json.loads((run_folder(folder) / "run.json").read_text())
    return read


def assert_artefacts(folder: Path) -> None:
    """Assert that every artefact of the only run exists and is complete."""
    found = run_folder(folder)
    names = {path.name for path in found.iterdir()}
    assert {"run.json", "report.html", "junit.xml", "summary.md"} <= names
    assert not [name for name in names if name.startswith(".")]
    assert (found / "report.html").read_text().rstrip().endswith("</html>")


def rule_of(run: dict[str, Any], scope: str) -> dict[str, Any]:
    (found,) = [rule for rule in run["verdict"]["rules"] if rule["scope"] == scope]
    assert isinstance(found, dict)
    return found
