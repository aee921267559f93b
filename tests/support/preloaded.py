"""Python programs started by forking a process that has already imported what they need.

A Locust process, an API or a worker spends more than a second on its imports, which is most of what many tests took.
What is forked is the same program: its arguments, environment, folder, streams, signals and exit code are those of a
process of its own.
"""

from __future__ import annotations

import atexit
import errno
import functools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
LOCUST = ("locust.main", "gevent.fileobject", "gevent.resolver.thread", "loadgate.generator.plugin", "loadgate.users")
# None of them reads a setting when it is imported: `tests.support.service_app` and `celery_main` do.
SERVICE = (
    *("uvicorn.main", "uvicorn.loops.uvloop", "uvicorn.protocols.websockets.websockets_sansio_impl"),
    *("inference_core.app.application", "sqlalchemy.dialects.sqlite.aiosqlite", "kombu.transport.redis"),
    *("celery.bin.celery", "celery.apps.worker", "celery.concurrency.prefork", "celery.worker.consumer"),
    *(f"inference_core.core.queue.{name}" for name in ("dead_letters", "heartbeat", "pool", "shutdown", "transport")),
    *(
        "inference_core.maintenance.tasks",
        "inference_core.llm.worker.ended_tasks",
        "inference_core.llm.tasks",
        "inference_core.auth.tasks",
    ),
)
TESTING = (*SERVICE, "inference_core.core.db.migrations.run", "inference_core.testing")
COMMANDS = (
    *("tests.support.shop_commands", "inference_core.app.cli", "inference_core.app.application"),
    *("inference_core.app.generate.feature", "inference_core.app.generate.project"),
    *("inference_core.core.db.migrations.write", "sqlalchemy.dialects.sqlite.aiosqlite"),
)
SERVICE_PROGRAM = "service_program.py"
"""The name of a script that creates the application of a service."""

MODULES = (
    {"locust": LOCUST, "uvicorn": SERVICE, "celery": SERVICE, "pytest": TESTING}
    | dict.fromkeys(("tests.support.shop_commands", "inference-core", SERVICE_PROGRAM), COMMANDS)
    | {"loadgate.cli": ("loadgate.cli.command_line",), "tests.support.stub_service": ("tests.support.stub_service",)}
)
"""What each program imports. Only the first has Locust, which puts gevent's modules in the place of Python's."""

SERVERS: list[subprocess.Popen[bytes]] = []
"""The processes that this one has started and that are forked for programs."""


@atexit.register
def leave_servers() -> None:
    """Do not wait for these processes: other test processes can still use them."""
    for server in SERVERS:
        server.returncode = 0  # else, Python warns that they are running


AT_START = re.compile(r"PYTHON|LD_|FAKETIME|MALLOC_|TZ$|PROMETHEUS_MULTIPROC_DIR")
"""Variables that are read when a program starts, or when a module is imported."""


class Preloaded:
    """A process that has imported `modules` and is forked for each program. The test processes of a run share it."""

    def __init__(self, modules: Sequence[str]) -> None:
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
        number = zlib.crc32(" ".join((run, *modules)).encode())
        address = str(Path(tempfile.gettempdir(), f"preloaded-{os.getuid()}-{number:08x}"))
        deadline = time.monotonic() + 10
        while (connection := connected(address)) is None:
            assert time.monotonic() < deadline, f"nothing listens at {address}"
            start_server(address, modules)
        self._socket = connection
        atexit.register(self.close)

    def close(self) -> None:
        """Let the process end if no other test process needs it; programs that run go on."""
        self._socket.close()

    def send(self, program: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Start a program with the standard streams, and the pipe to tell of it, that `descriptors` are."""
        with tempfile.TemporaryFile() as described:
            described.write(json.dumps(program).encode())
            described.seek(0)
            socket.send_fds(self._socket, [b"\0"], [described.fileno(), *descriptors])


def connected(address: str) -> socket.socket | None:
    """Connect to a server; return None if there is none yet."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def start_server(address: str, modules: Sequence[str]) -> None:
    """Start a server unless another test process is just doing so."""
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return
        server.listen()
        command = [sys.executable, "-m", "tests.support.preloaded_program", str(server.fileno()), *modules]
        SERVERS.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[server.fileno()]))


@functools.cache
def preloaded(modules: tuple[str, ...]) -> Preloaded:
    """Return the process with these modules."""
    return Preloaded(modules)


def modules_for(command: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...] | None:
    """The modules that a command line is to find imported; `None` where it needs an interpreter of its own."""
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    early = {name for name in env if AT_START.match(name) and env[name] not in {os.environ.get(name), known.get(name)}}
    # Each process of a server with several starts an interpreter of its own.
    if command[0] != sys.executable or command[1] == "-c" or early or "--workers" in command:
        return None
    return MODULES.get(command[2]) if command[1] == "-m" else MODULES.get(Path(command[1]).name, LOCUST)


class ForkedProgram:
    """A running program, used as a `subprocess.Popen`; `argv` is what follows `python` on a command line."""

    def __init__(
        self,
        modules: tuple[str, ...],
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: IO[Any],
        stderr: IO[Any],
    ) -> None:
        self.args = [*argv]
        self.returncode: int | None = None
        reading, telling = os.pipe()
        self._told = os.fdopen(reading, "rb", buffering=0)
        program = {"argv": self.args, "cwd": str(cwd), "env": dict(env)}
        sys.audit("subprocess.Popen", sys.executable, self.args, program["cwd"], program["env"])
        try:
            with Path(os.devnull).open("rb") as nothing:
                streams = [nothing.fileno(), stdout.fileno(), stderr.fileno()]
                preloaded(modules).send(program, [*streams, telling])
        finally:
            os.close(telling)
        line = self._told.readline()
        assert line, "the process that is forked has ended"
        self.pid = int(line)

    def poll(self) -> int | None:
        """Return the exit code, `None` while the program runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once the program has ended.

        Raises:
            subprocess.TimeoutExpired: it has not within `timeout` seconds.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the program if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the program to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the program at once."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode


Program = ForkedProgram | subprocess.Popen[bytes]


def start(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]) -> Program:
    """Start a command line, by forking where it is one of Python that finds most of its imports done."""
    if Path(command[0]).parent == Path(sys.executable).parent and Path(command[0]).name in MODULES:
        command = [sys.executable, *command]
    if modules := modules_for(command, env):
        return ForkedProgram(modules, command[1:], cwd=cwd, env=env, stdout=stdout, stderr=stderr)
    return subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, started as by `start`; return its exit code and what it wrote.

    Raises:
        subprocess.TimeoutExpired: it has not ended within `timeout_s`; it is ended then.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        program = start(command, cwd=cwd, env=env, stdout=stdout, stderr=stderr)
        try:
            code = program.wait(timeout_s)
        finally:
            if program.poll() is None:
                program.kill()
                program.wait(10)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(command, code, stdout.read().decode(), stderr.read().decode())


def printed_json(program: Path, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a program that uses Locust; return the JSON that it prints."""
    done = run([sys.executable, str(program), *arguments], cwd=Path.cwd(), env=env or os.environ)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result
