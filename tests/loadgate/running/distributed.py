"""Start a master and its workers, each with a folder and an environment of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.loadgate.running.support import SUITE, Started, master_ports


@dataclass(frozen=True)
class Worker:
    """A worker to start."""

    options: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    suite: Path = SUITE
    prefix: Sequence[str] = ()
    """Words before its command."""


@contextmanager
def distributed(
    folder: Path,
    master_options: Sequence[str],
    *workers: Worker,
    expected: int | None = None,
    suite: Path = SUITE,
    **env: str,
) -> Iterator[tuple[Started, list[Started], list[str]]]:
    """A master, its workers, and the start of the command line of further ones. `env` is that of the master."""
    bind_host, host, bind, port, *_ = master_ports()
    at_port = ["--worker", "--master-port", port]
    master = [*locust_of(suite), "--headless", *master_options, "--master", bind_host, host, bind, port]
    with ExitStack() as stack:

        def start(name: str, command: list[str], **of_process: str) -> Started:
            (folder / name).mkdir()
            return stack.enter_context(Started(command, folder / name, **of_process))

        judge = start("master", [*master, "--expect-workers", str(expected or len(workers))], **env)
        started = [
            start(
                f"worker-{number}", [*worker.prefix, *locust_of(worker.suite), *at_port, *worker.options], **worker.env
            )
            for number, worker in enumerate(workers)
        ]
        yield judge, started, at_port


def locust_of(suite: Path) -> list[str]:
    """Return the start of Locust's command line for this suite."""
    return [sys.executable, "-m", "locust", "-f", str(suite)]
