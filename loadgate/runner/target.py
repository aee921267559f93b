"""The managed target: a service that a run starts, monitors and always stops."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

import psutil

from loadgate.errors import CommandError
from loadgate.parent_process import stop_with_parent
from loadgate.paths import shown_path
from loadgate.project import TargetSettings
from loadgate.runner.bounded_log import BoundedLog
from loadgate.units import duration

POLL_S = 0.1
LAST_LINES = 15
LAST_LINES_WIDTH = 200
MAX_LINE = 64 * 1024


class TargetError(CommandError):
    """Raised if the target does not start. The message contains the last lines of its log."""


class ManagedTarget:
    """A started target process group. `managed_target` makes sure that it is stopped."""

    def __init__(
        self, settings: TargetSettings, folder: Path, log_path: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the command in `folder`. `environment` replaces that of this process."""
        self.url = ""
        self._settings = settings
        self._ready_line = re.compile(settings.ready_line) if settings.ready_line else None
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._url_found = threading.Event()
        self._log_path = log_path
        self._log = BoundedLog(log_path)
        try:
            # In its own session, one signal reaches the whole process group, and a Ctrl-C in the terminal does not
            # stop the target before the run is finished.
            self._process = subprocess.Popen(
                settings.command,
                cwd=folder,
                env={**(os.environ if environment is None else environment), **settings.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
                preexec_fn=stop_with_parent(os.getpid()),  # noqa: PLW1509 - this process has no other thread yet
            )
        except OSError as error:
            self._log.close()
            raise TargetError(
                f"cannot start the target: {settings.command[0]!r}: {error.strerror or error}; "
                "correct command in [tool.loadgate.target] of pyproject.toml, or use --host"
            ) from error
        self._log_thread = threading.Thread(target=self._copy_log, daemon=True)
        self._log_thread.start()

    @property
    def pid(self) -> int:
        """Return the process id of the command, which is the leader of its process group."""
        return self._process.pid

    def ended(self) -> str | None:
        """Return how the target ended, with its last log lines. `None` while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        self._log_thread.join(timeout=1)
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        tail = "".join(f"\n    {line}" for line in self._last_lines)
        return f"the target ended with {how}{'; its last lines:' if tail else ''}{tail}"

    def wait_ready(self, give_up: Callable[[], bool]) -> None:
        """Wait until the target is ready, and set `url`.

        Raises:
            TargetError: The target ended or was not ready within the timeout, or `give_up` returned true.
        """
        deadline = time.monotonic() + self._settings.timeout
        while not self._is_ready():
            if end := self.ended():
                raise TargetError(f"{end}\n(command: {' '.join(self._settings.command)})")
            if give_up():
                raise TargetError("interrupted while the target was starting")
            if time.monotonic() >= deadline:
                raise TargetError(self._not_ready())
            self._url_found.wait(POLL_S)

    def _not_ready(self) -> str:
        """Return what was waited for, and what the target has printed instead."""
        settings = self._settings
        missing = f"{settings.ready_url} (ready_url) did not answer"
        if self._ready_line:
            missing = f"no line of its output matched ready_line, {settings.ready_line!r}"
        tail = "".join(f"\n    {line}" for line in self._last_lines)
        return (
            f"the target was not ready within {duration(settings.timeout)}: {missing}\n"
            f"(command: {' '.join(settings.command)}; output: {shown_path(self._log_path)})\n"
            f"{'its last lines:' if tail else 'it printed nothing'}{tail}"
        )

    def stop(self) -> None:
        """Stop the process group with SIGTERM, and after `stop_timeout` with SIGKILL. Wait until all have ended."""
        members = self._tree()
        self._signal_group(signal.SIGTERM)
        _, alive = psutil.wait_procs(members, timeout=self._settings.stop_timeout)
        self._signal_group(signal.SIGKILL)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        self._process.wait()
        self._log_thread.join(timeout=5)
        self._log.close()

    def _is_ready(self) -> bool:
        if self._ready_line:
            return self._url_found.is_set()
        self.url = self._settings.ready_url or ""
        if not _answers(self.url):
            return False
        self.url = _base_of(self.url)
        return True

    def _copy_log(self) -> None:
        stream: IO[str] | None = self._process.stdout
        if stream is None:
            return
        with stream:
            # A longer line is read in pieces, so that the memory is bounded too.
            while line := stream.readline(MAX_LINE):
                with contextlib.suppress(OSError):
                    self._log.write(line.encode("utf-8", "replace"))
                self._last_lines.append(line.rstrip()[:LAST_LINES_WIDTH])
                if self._ready_line and not self._url_found.is_set():
                    self._search_url(self._ready_line, line)

    def _search_url(self, pattern: re.Pattern[str], line: str) -> None:
        match = pattern.search(line)
        if match:
            groups = match.groupdict()
            self.url = groups.get("url") or (match.group(1) if match.re.groups else match.group(0))
            self._url_found.set()

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _signal_group(self, number: signal.Signals) -> None:
        # Members of the group can outlive its leader, so signal the group even if the command has ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


@contextlib.contextmanager
def managed_target(
    settings: TargetSettings,
    folder: Path,
    log_path: Path,
    give_up: Callable[[], bool] = lambda: False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[ManagedTarget]:
    """Start the target in `folder`, wait until it is ready, and always stop it at the end.

    `environment` replaces that of this process.

    Raises:
        TargetError: The target could not be started, ended early or was not ready in time, or `give_up` returned true.
    """
    target = ManagedTarget(settings, folder, log_path, environment)
    try:
        target.wait_ready(give_up)
        yield target
    finally:
        target.stop()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2):
            return True
    except (OSError, ValueError):
        return False


def _base_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
