"""Test that runs record the resources of their target, and that no sampler outlives its run."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent
import psutil
import pytest

from loadgate.credentials import without_credentials
from loadgate.generator.resource_sampling import ResourceSampling
from loadgate.generator.sampled_target import sampled_target
from loadgate.paths import TARGET_PID_VARIABLE
from loadgate.project import Project, TargetSettings
from loadgate.recorder.resources import ResourceRecord
from loadgate.resource_settings import ProcessResource, PrometheusResource
from tests.loadgate.running.support import (
    PASS,
    STUB,
    SUITE,
    Started,
    document,
    finish,
    loadgate_command,
    locust,
    locust_command,
    wait_until,
    web_ui,
)
from tests.loadgate.stub_server import StubServer

PARTS = r"""
[[tool.loadgate.resource]]
name = "api"
kind = "process"
command = 'stub_server\.py'
[[tool.loadgate.resource]]
name = "worker"
kind = "process"
command = "sidekiq"
[[tool.loadgate.resource]]
name = "database"
kind = "prometheus"
quantity = "connections"
used = "stub_connections"
[[tool.loadgate.resource]]
name = "api"
kind = "prometheus"
quantity = "requests"
rate = "stub_requests_total"
"""
SHORT = ("-u", "2", "-t", "3s")
FOREIGN = "http://192.0.2.1:8000"
"""An address that no machine has (RFC 5737)."""


def project(folder: Path, resources: str = PARTS, target: str = "") -> None:
    """Create a project whose managed target is the stub."""
    text = f"[tool.loadgate]\nlocustfile = {json.dumps(str(SUITE))}\n"
    text += f"[tool.loadgate.target]\ncommand = {json.dumps([sys.executable, str(STUB)])}\nready_line = 'http://\\S+'\n"
    (folder / "pyproject.toml").write_text(text + target + resources)


def resources(folder: Path) -> ResourceRecord:
    return ResourceRecord.from_json(document(folder)["resources"])


def values(record: ResourceRecord, resource: str, quantity: str) -> Sequence[float]:
    series = record.series(resource, quantity)
    assert series is not None, (record.columns, record.notes)
    return series.values


def samplers(process: psutil.Process) -> list[psutil.Process]:
    """Return the samplers that a process and its children have started."""
    found = []
    for child in process.children(recursive=True):
        try:
            if "loadgate.sampler" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# Whole runs


@pytest.mark.parametrize("options", [(), ("--processes", "2")])
def test_a_run_records_the_resources_of_its_managed_target(tmp_path: Path, options: tuple[str, ...]) -> None:
    project(tmp_path, target='collect = "/collect"\n')
    done = finish(loadgate_command("run", "roomy", *SHORT, *options), tmp_path)
    assert done.returncode == PASS, done.stdout + done.stderr
    record = resources(tmp_path)
    assert min(values(record, "api", "memory")) > 1_000_000
    assert max(values(record, "api", "requests")) > 1
    assert set(values(record, "database", "connections")) == {3}
    assert values(record, "machine", "cpu")
    assert len(values(record, "api", "memory.collected")) == 2
    (missing,) = [note for note in record.notes if "worker" in note]
    assert missing.startswith("no process of 'worker' was found: its command matches none of the target's processes")
    assert "! no process of 'worker' was found" in done.stdout
    assert record.sampler_cpu_share is not None
    assert 0 < record.sampler_cpu_share < 1
    run = document(tmp_path)["run"]
    memory = record.series("api", "memory")
    assert memory is not None
    assert memory.times_s[-1] - memory.times_s[0] >= run["duration_s"] - 1


def test_plain_locust_measures_a_host_on_this_machine(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, *SHORT, LOAD_PROFILE="roomy")
    assert done.returncode == PASS, done.stdout + done.stderr
    record = resources(tmp_path)
    assert min(values(record, "target", "memory")) > 1_000_000
    assert values(record, "target", "cpu")
    assert record.notes == []


def test_a_sampler_that_is_killed_is_a_note_and_the_run_continues(tmp_path: Path, stub: StubServer) -> None:
    with Started(locust_command("--host", stub.url, *SHORT), tmp_path, LOAD_PROFILE="roomy") as started:
        process = psutil.Process(started.process.pid)
        wait_until(lambda: samplers(process), "the sampler")
        samplers(process)[0].kill()
        assert started.wait() == PASS, started.output
    assert resources(tmp_path).notes == ["the sampler was ended by SIGKILL before the end of the run"]


def test_each_run_of_the_web_ui_has_a_sampler_of_its_own(tmp_path: Path, stub: StubServer) -> None:
    runs = tmp_path / "reports" / "performance" / "runs"
    with web_ui(tmp_path, LOAD_PROFILE="roomy") as (ui, started):
        process = psutil.Process(started.process.pid)
        seen = []
        for number in (1, 2):
            ui.start(stub.url)
            wait_until(lambda: samplers(process), "the sampler")
            seen += samplers(process)
            before = stub.total
            wait_until(lambda before=before: stub.total > before + 5, "the load")
            ui.stop()
            wait_until(lambda number=number: len([*runs.glob("*/run.json")]) == number, "the verdict")
            assert samplers(process) == []
    assert len({sampler.pid for sampler in seen}) == 2
    for path in runs.glob("*/run.json"):
        record = ResourceRecord.from_json(json.loads(path.read_text())["resources"])
        assert values(record, "target", "memory")
        assert record.sampler_cpu_share is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_no_sampler_outlives_locust(tmp_path: Path, stub: StubServer, number: signal.Signals) -> None:
    command = locust_command("--host", stub.url, "-u", "2", "-t", "1m")
    with Started(command, tmp_path, LOAD_PROFILE="roomy") as started:
        process = psutil.Process(started.process.pid)
        wait_until(lambda: samplers(process) and stub.total > 5, "the load")
        (sampler,) = samplers(process)
        started.signal(number)
        started.wait()
        wait_until(lambda: is_gone(sampler), "the sampler's end")
    if number in {signal.SIGINT, signal.SIGTERM}:
        assert values(resources(tmp_path), "target", "memory")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_sampler_outlives_loadgate_run(tmp_path: Path, number: signal.Signals) -> None:
    project(tmp_path, target='collect = "/collect"\n')
    with Started(loadgate_command("run", "roomy", "-t", "1m"), tmp_path) as started:
        process = psutil.Process(started.process.pid)
        wait_until(lambda: samplers(process), "the sampler")
        (sampler,) = samplers(process)
        if number is signal.SIGINT:
            # The first line about the load follows the collection.
            wait_until(lambda: "steady" in started.output, "the load")
        started.signal(number)
        started.wait()
        wait_until(lambda: is_gone(sampler), "the sampler's end")
    if number is signal.SIGINT:
        # The end of an interrupted run does not wait for the target.
        assert len(values(resources(tmp_path), "api", "memory.collected")) == 1


# What is sampled


def sampled(hosts: Sequence[str], **settings: Any) -> tuple[Any, list[str]]:
    return sampled_target(Project(root=Path("/project"), **settings), hosts)


@pytest.fixture(autouse=True)
def no_managed_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TARGET_PID_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("http://127.0.0.1:8123", 8123),
        ("http://localhost:8123/api", 8123),
        ("http://127.0.0.1", 80),
        ("https://localhost", 443),
        ("ws://127.0.0.1:9000", 9000),
        ("http://0.0.0.0:8123", 8123),
    ],
)
def test_a_host_on_this_machine_is_found_by_its_port(host: str, port: int) -> None:
    configuration, notes = sampled([host])
    assert (configuration.port, configuration.pid, notes) == (port, None, [])
    assert [source.resource for source in configuration.processes] == ["target"]


@pytest.mark.parametrize(
    ("hosts", "reason"),
    [
        ([FOREIGN], "192.0.2.1 is not this machine"),
        ([f"http://{'a' * 70}.invalid"], f"{'a' * 70}.invalid is not this machine"),
        (["http://no-such-host.invalid"], "no-such-host.invalid is not this machine"),
        ([], "the run has no host"),
        (["http://[::1"], "the host is not an address"),
        (["ws://127.0.0.1:x"], "the host is not an address"),
        (["postgresql:"], "the host is not an address"),
    ],
)
def test_processes_of_another_machine_are_one_note(hosts: list[str], reason: str) -> None:
    parts = (ProcessResource(name="api", kind="process"), ProcessResource(name="redis", kind="process", port=6379))
    configuration, notes = sampled(hosts, resource=parts)
    assert (configuration.processes, configuration.pid, configuration.port) == ((), None, None)
    assert notes == [f"the processes of 'api' and 'redis' are not measured, because {reason}"]


def test_the_metrics_of_another_machine_are_read() -> None:
    entry = PrometheusResource(name="db", kind="prometheus", quantity="used", used="pool")
    configuration, notes = sampled([f"{FOREIGN}/"], resource=(entry,))
    assert notes == []
    assert [(source.url, source.bearer) for source in configuration.metrics] == [(f"{FOREIGN}/metrics", None)]


PROTECTED = PrometheusResource(name="db", kind="prometheus", quantity="used", used="pool", bearer="TOKEN")


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("http://localhost:8000", {}),
        ("http://127.0.0.1:8000/", {}),
        ("http://[::1]:8000/api", {}),
        ("https://Staging.example.com", {"host": "https://staging.example.com:443/"}),
        ("https://user:secret@staging.example.com", {"host": "https://staging.example.com"}),
    ],
)
def test_a_token_goes_to_the_host_of_the_settings(host: str, settings: dict[str, Any]) -> None:
    configuration, notes = sampled([host], resource=(PROTECTED,), **settings)
    assert notes == []
    assert [source.bearer for source in configuration.metrics] == ["TOKEN"]


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        (FOREIGN, {}),
        ("http://localhost:8001", {}),
        ("https://localhost:8000", {}),
        ("http://localhost.example.com:8000", {}),
        ("http://localhost:8000@192.0.2.1", {}),
        ("https://a.example.com", {"host": "https://b.example.com"}),
        ("http://a.example.com", {"host": "https://a.example.com"}),
        ("http://a.example.com:8080", {"host": "nonsense"}),
    ],
)
def test_another_host_gets_no_token(host: str, settings: dict[str, Any]) -> None:
    other = PROTECTED.model_copy(update={"quantity": "other"})
    public = PROTECTED.model_copy(update={"quantity": "public", "bearer": None})
    configuration, notes = sampled([host], resource=(PROTECTED, other, public), **settings)
    assert [(source.quantity, source.bearer) for source in configuration.metrics] == [("public", None)]
    own = settings.get("host", "http://localhost:8000")
    whose = f"the token in TOKEN belongs to {own} and not to {without_credentials(host)}"
    assert notes == [f"/metrics is not read, because {whose}; to send it there, add the host to bearer_hosts"]


def test_a_token_goes_to_listed_hosts_to_its_own_url_and_to_a_managed_target(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = PROTECTED.model_copy(update={"bearer_hosts": ("https://other.example.com", FOREIGN)})
    own = PROTECTED.model_copy(update={"name": "queue", "url": "http://metrics:9100/m"})
    configuration, notes = sampled([FOREIGN], resource=(listed, own))
    assert notes == []
    assert [source.bearer for source in configuration.metrics] == ["TOKEN", "TOKEN"]
    monkeypatch.setenv(TARGET_PID_VARIABLE, str(os.getpid()))
    configuration, notes = sampled(["http://127.0.0.1:40123"], resource=(PROTECTED,))
    assert (notes, [source.bearer for source in configuration.metrics]) == ([], ["TOKEN"])


def test_a_path_needs_an_http_host_but_a_url_does_not() -> None:
    path = PrometheusResource(name="db", kind="prometheus", quantity="used", used="pool")
    url = path.model_copy(update={"name": "queue", "url": "http://metrics:9100/m"})
    for hosts in (["ws://127.0.0.1:1"], ["http://127.0.0.1:x"], []):
        configuration, notes = sampled(hosts, resource=(path, url))
        assert [source.url for source in configuration.metrics] == ["http://metrics:9100/m"]
        assert notes == ["/metrics is not read, because the run has no valid http:// or https:// host"]


def test_only_a_managed_target_collects_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    target = TargetSettings(command=("serve",), ready_line="x", collect="/gc")
    assert sampled(["http://127.0.0.1:1"], target=target)[0].collect is None
    monkeypatch.setenv(TARGET_PID_VARIABLE, str(os.getpid()))
    configuration, _ = sampled(["http://127.0.0.1:1"], target=target)
    assert (configuration.pid, configuration.port) == (os.getpid(), None)
    assert configuration.collect == "http://127.0.0.1:1/gc"


@pytest.mark.parametrize("value", ["", "x", "-1", "²", "1 2"])
def test_a_malformed_process_id_is_ignored(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TARGET_PID_VARIABLE, value)
    assert sampled(["http://127.0.0.1:81"])[0].port == 81


def test_a_pid_file_is_relative_to_the_project() -> None:
    part = ProcessResource(name="redis", kind="process", pid_file="run/redis.pid")
    assert sampled(["http://127.0.0.1:1"], resource=(part,))[0].processes[0].pid_file == "/project/run/redis.pid"


def test_a_sampler_that_cannot_start_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("loadgate.generator.resource_sampling.os.posix_spawn", fail)
    sampling = ResourceSampling(Project(root=Path("/project")), ["http://127.0.0.1:1"])
    sampling.collect()
    sampling.finish(is_interrupted=False)
    assert sampling.record.notes == ["the sampler could not start: Too many open files"]


def test_a_sampler_that_was_killed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TARGET_PID_VARIABLE, str(os.getpid()))
    target = TargetSettings(command=("serve",), ready_line="x", collect="/gc")
    sampling = ResourceSampling(Project(root=Path("/project"), target=target), ["http://127.0.0.1:1"])
    samplers(psutil.Process())[0].kill()
    with gevent.Timeout(30):
        while not sampling.record.notes:
            gevent.sleep(0.01)
    sampling.finish(is_interrupted=False)
    assert sampling.record.notes == ["the sampler was ended by SIGKILL before the end of the run"]


def test_what_cannot_be_read_is_logged_during_the_run(caplog: pytest.LogCaptureFixture) -> None:
    url = "http://127.0.0.1:1/metrics"
    entry = PrometheusResource(name="db", kind="prometheus", quantity="connections", used="used", url=url)
    sampling = ResourceSampling(Project(root=Path("/project"), resource=(entry,)), [FOREIGN])
    with gevent.Timeout(30):
        while not caplog.messages:
            gevent.sleep(0.01)
    sampling.finish(is_interrupted=True)
    assert caplog.messages == sampling.record.notes
    assert url in caplog.messages[0]


def test_without_anything_to_measure_no_sampler_starts() -> None:
    sampling = ResourceSampling(Project(root=Path("/project")), [FOREIGN])
    sampling.finish(is_interrupted=False)
    assert sampling.record.notes == [
        "the processes of 'target' are not measured, because 192.0.2.1 is not this machine"
    ]
    assert sampling.record.sampler_cpu_share is None
