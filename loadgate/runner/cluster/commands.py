"""The command lines of a master and of its workers, which run in containers."""

from __future__ import annotations

from collections.abc import Sequence

PORT = 5557
"""The port on which the master waits for workers. It is Locust's default."""

CONNECT_WITHIN_S = 600
"""Time for which a master waits for its workers, which can be placed later than the master, and on other machines have
to load the image. A worker gives up after five minutes without a master."""


def master_command(profile: str, locustfile: str, workers: int | str, options: Sequence[str] = ()) -> list[str]:
    """Return the command that waits for the workers, runs the profile, and exits with the code of the verdict.

    Paths are relative to the folder of the project. `options` are those of `loadgate run` and of Locust.
    """
    command = ["loadgate", "run", profile, "-f", locustfile, "--master", "--expect-workers", str(workers)]
    return [*command, "--expect-workers-max-wait", str(CONNECT_WITHIN_S), "--master-bind-port", str(PORT), *options]


def worker_command(locustfile: str, master: str) -> list[str]:
    """Return the command of a worker, which ends when its master ends. `master` is the master's host name."""
    return ["locust", "-f", locustfile, "--worker", "--master-host", master, "--master-port", str(PORT)]
