"""Run stubs side by side under a light load, and measure them with the sampler of the load gate."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.calibrate.stubs.started import ROOT, Started, stub
from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from loadgate.sampler.configuration import Configuration, MetricSource, ProcessSource
from loadgate.sampler.readings import BYTES, COUNT

RESOURCE = "stub"
"""The name of the resource in the rules. Each stub has its own record, so they can all have the same name."""

REQUESTS_PER_S = 2.0
_QUANTITIES = (
    ("python_blocks", "python_allocated_blocks", COUNT),
    ("heap_in_use", "heap_in_use_bytes", BYTES),
    ("heap_held", "heap_held_bytes", BYTES),
    ("connections", "connections_open", COUNT),
)
_END_S = 20.0


class MeasuringError(Exception):
    """Raised if a stub or the sampler ended too early. The message is one line."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A mode of the stub `leaky`. `speed` is how many times faster than usual everything happens."""

    mode: str
    seed: int
    speed: float = 1.0

    def __str__(self) -> str:
        return f"{self.mode} {self.seed}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a stub. `load_s` are the epoch seconds of the start and the end of the load."""

    subject: Subject
    load_s: tuple[float, float]
    resources: ResourceRecord = field(default_factory=ResourceRecord)
    requests: Recorder = field(default_factory=Recorder)


def measure(subjects: Sequence[Subject], seconds: float) -> list[Measured]:
    """Measure stubs at the same time. Raises MeasuringError and NotStartedError."""
    with contextlib.ExitStack() as stack:
        stubs = [
            stack.enter_context(stub("leaky", one.mode, "--seed", one.seed, "--speed", one.speed)) for one in subjects
        ]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        load_s = (time.time(), time.time() + seconds)
        measured = [Measured(subject, load_s) for subject in subjects]
        with _sampler(_configuration(stubs, folder), [one.resources for one in measured]):
            _send_requests(stubs, [one.requests for one in measured], end_s=load_s[1])
        for subject, started in zip(subjects, stubs, strict=True):
            try:
                started.truth()
            except OSError as error:
                raise MeasuringError(f"the stub {subject} did not answer at the end: {error}") from error
    return measured


def _configuration(stubs: Sequence[Started], folder: Path) -> Configuration:
    """Name each stub by its position."""
    processes, metrics = [], []
    for number, started in enumerate(stubs):
        pid_file = folder / f"{number}.pid"
        pid_file.write_text(str(started.pid))
        processes.append(ProcessSource(str(number), pid_file=str(pid_file)))
        url = f"{started.url}/metrics"
        metrics += [
            MetricSource(str(number), quantity, url, used=metric, unit=unit) for quantity, metric, unit in _QUANTITIES
        ]
    return Configuration(processes=tuple(processes), metrics=tuple(metrics))


@contextlib.contextmanager
def _sampler(configuration: Configuration, records: Sequence[ResourceRecord]) -> Iterator[None]:
    """Fill the records with what the sampler measures until the end of the block."""
    command = [sys.executable, "-P", "-m", "loadgate.sampler", str(os.getpid())]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(configuration.to_json().encode() + b"\n")
        process.stdin.flush()
        reader = threading.Thread(target=_read, args=(process.stdout, records))
        reader.start()
        try:
            yield
        finally:
            has_ended = process.poll() is not None
            process.stdin.close()
            reader.join()
    if has_ended:
        raise MeasuringError("the sampler ended before the end of the load")


def _read(lines: Iterable[bytes], records: Sequence[ResourceRecord]) -> None:
    for line in lines:
        message = json.loads(line)
        if "note" in message:
            print(f"the sampler says: {message['note']}", file=sys.stderr, flush=True)
        elif "cpu_share" in message:
            print(f"the sampler used {message['cpu_share']:.1%} of a core", file=sys.stderr, flush=True)
        values: dict[str, dict[ResourceColumn, float | None]] = {}
        for name, quantity, kind, unit, value in message.get("values", ()):
            column = ResourceColumn(RESOURCE, quantity, ColumnKind(kind), ResourceUnit(unit))
            values.setdefault(name, {})[column] = value
        for name, row in values.items():
            records[int(name)].put(message["second"], row)


def _send_requests(stubs: Sequence[Started], records: Sequence[Recorder], end_s: float) -> None:
    """Send requests to each stub at a steady rate, or more slowly on a busy machine."""
    while (start_s := time.time()) < end_s:
        for started, record in zip(stubs, records, strict=True):
            record.record(_request(started))
        time.sleep(max(0.0, start_s + 1 / REQUESTS_PER_S - time.time()))


def _request(started: Started) -> FinishedRequest:
    start_s, clock_s = time.time(), time.monotonic()
    outcome, text = Outcome.SUCCESS, None
    try:
        started.get("/")
    except OSError as error:
        outcome, text = Outcome.FAILURE, str(error)
    return FinishedRequest("GET /", outcome, start_s, 1000 * (time.monotonic() - clock_s), error=text)
