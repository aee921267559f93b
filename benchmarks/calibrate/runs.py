"""Run a case: the stub server, loadgate against it, and the records of both."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.calibrate.answers import BASE_MS
from benchmarks.calibrate.cases import Case, Load, Model
from benchmarks.calibrate.comparison import Comparison, Figure, latency_figures
from benchmarks.calibrate.round_trip import RoundTrips
from benchmarks.calibrate.stubs.started import ROOT, started
from loadgate.exit_codes import ExitCode
from loadgate.paths import RUN_FOLDER_VARIABLE
from loadgate.recorder import Outcome, RequestName, corrected, expected_interval_ms
from loadgate.run.document import RunDocument, read_run

SLOW_MS = 1000.0
_STEERING = re.compile(r"LOCUST_|LOADGATE_|LOAD_PROFILE|TARGET_HOST")


class CalibrationError(Exception):
    """A run could not be carried out; the text says what it printed."""


def compare(case: Case, load: Load) -> Comparison:
    """Run one case and put both records side by side."""
    with started("benchmarks.calibrate.server", case.distribution.name) as server:
        with RoundTrips(server.url) as round_trips:
            document = _run(case, load, server.url)
        truth = server.truth()
    (reported,) = [row for row in document.totals.requests if row.name == "answer"]
    good, failed = (truth["times_ms"][outcome] for outcome in (Outcome.SUCCESS, Outcome.FAILURE))
    return Comparison(
        case=str(case),
        latencies=latency_figures(reported.success_ms.model_dump(by_alias=True), good),
        counts=(
            Figure("requests", reported.requests, len(good) + len(failed)),
            Figure("failures", reported.failures, len(failed)),
        ),
        estimates=_freeze_seen(case, load, document),
        round_trip_ms=round_trips.median_ms,
    )


def _run(case: Case, load: Load, url: str) -> RunDocument:
    """The run's document."""
    options = [*case.options(load), *(_own_port() if case.processes > 1 else [])]
    return locust_run(str(case), Path(__file__).with_name("locustfile.py"), url, options)


def locust_run(
    name: str,
    locustfile: Path,
    url: str,
    options: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    project: Path | None = None,
) -> RunDocument:
    """Run Locust with the load gate, and return the run's document.

    `project` is the folder whose settings apply; without one, there are none.

    Raises:
        CalibrationError: if Locust ends without a verdict, with `name` and what it printed.
    """
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--host", url, *options]
    with tempfile.TemporaryDirectory() as folder:
        variables = {name: value for name, value in os.environ.items() if not _STEERING.match(name)}
        variables |= {"PYTHONPATH": str(ROOT), RUN_FOLDER_VARIABLE: folder, **(environment or {})}
        done = subprocess.run(
            command, cwd=project or folder, env=variables, capture_output=True, text=True, check=False
        )
        # The verdict is not the subject: a run that failed or that loadgate found inconclusive is like any other.
        if done.returncode not in {ExitCode.PASS, ExitCode.INCONCLUSIVE, ExitCode.FAIL}:
            printed = "\n".join((done.stdout[-1500:], done.stderr[-1500:]))
            raise CalibrationError(f"{name}: Locust ended with {done.returncode}:\n{printed}")
        return read_run(Path(folder))


def _own_port() -> list[str]:
    """Options that keep the master and its workers to themselves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


def _freeze_seen(case: Case, load: Load, document: RunDocument) -> tuple[Figure, ...]:
    """How many requests over SLOW_MS a run shows of a freeze, and how many would be if all were sent by the clock.

    Sent at t, a request that falls into a freeze takes until its end; more than SLOW_MS if t is that long before it.
    In a closed model users send nothing while they wait, so there the corrected figures must show it.
    """
    freeze = case.distribution.freeze
    if freeze is None:
        return ()
    true = round(load.rate_per_s * (freeze.length_s + (BASE_MS - SLOW_MS) / 1000))
    latencies = document.recording.recorder().totals(RequestName("answer")).success
    measured = latencies.count_above(SLOW_MS)
    if case.model is Model.OPEN:
        return (Figure(f"requests over {SLOW_MS:g} ms", measured, true),)
    interval_ms = expected_interval_ms(latencies, user_seconds=sum(users for _, users in document.user_counts))
    assert interval_ms is not None
    name = f"corrected number of requests over {SLOW_MS:g} ms (measured: {measured})"
    return (Figure(name, corrected(latencies, interval_ms).count_above(SLOW_MS), true),)
