"""Test the commands of the Kubernetes manifests on several hosts: a master, two workers, and a target with a store."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgate.project import load_project
from loadgate.runner.cluster.render import RenderRequest, render
from tests.loadgate.running.support import FAIL, PASS, STUB, SUITE, wait_until
from tests.support.hosts import NAMES, Hosts
from tests.support.stack import BIN

pytestmark = [pytest.mark.full, pytest.mark.process]

TOKEN = "a-secret-token"
TARGET = "http://target:8000"


class Cluster:
    """What Kubernetes does with the manifests of a run: names, variables, commands and exit codes."""

    def __init__(self, made: Hosts, folder: Path, profile: str) -> None:
        self.hosts = made
        self.folder = folder
        (folder / "suite").mkdir(parents=True)
        (folder / "suite" / "locustfile.py").write_text(SUITE.read_text())
        (folder / "pyproject.toml").write_text("[tool.loadgate]\nlocustfile = 'suite/locustfile.py'\n")
        request = RenderRequest(
            profile, workers=2, image="load", host=TARGET, secret="store", put=f"{TARGET}/runs/", run_time_s=8
        )
        documents = list(yaml.safe_load_all(render(request, load_project(folder), "load.yaml")))
        self.jobs = {item["metadata"]["name"].rpartition("-")[2]: item for item in documents if item["kind"] == "Job"}

    def start(self, component: str, host: str, **secret: str) -> subprocess.Popen[bytes]:
        """Start a pod on a host, with the variables of the manifest and of a Secret only."""
        (container,) = self.jobs[component]["spec"]["template"]["spec"]["containers"]
        given = {item["name"]: item["value"] for item in container["env"]}
        assert container["envFrom"] == [{"secretRef": {"name": "store"}}]
        command = [part.replace("$$", "$") for part in container["command"]]
        env = {"PATH": f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin", **given, **secret}
        return self.hosts.start(host, command, self.folder, env, self.log(host))

    def log(self, host: str) -> Path:
        return self.folder / f"{host}.log"

    def output(self) -> str:
        """Return what all hosts have printed."""
        return "".join(f"== {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    known = {f"loadgate-{profile}-master": "master" for profile in ("roomy", "tight")}
    with Hosts("master", "one", "two", "target", known=known) as made:
        yield made


def stored_run(archive: Path) -> dict[str, Any]:
    """Return the run.json of a run folder that was stored."""
    with tarfile.open(archive) as tar:
        (member,) = [item for item in tar.getmembers() if item.name.endswith("/run.json")]
        file = tar.extractfile(member)
        assert file is not None
        read: dict[str, Any] = json.load(file)
        return read


@pytest.mark.parametrize(
    ("profile", "delay_ms", "is_terminated", "code"), [("roomy", 0, True, PASS), ("tight", 150, False, FAIL)]
)
def test_the_verdict_and_the_folder_leave_the_cluster(
    hosts: Hosts, tmp_path: Path, *, profile: str, delay_ms: int, is_terminated: bool, code: int
) -> None:
    """Run the manifests. Docker Compose terminates the master when the first worker ends, which changes nothing."""
    cluster = Cluster(hosts, tmp_path / "suite", profile)
    store = tmp_path / "store"
    store.mkdir()
    stub = [sys.executable, str(STUB), "--address", "0.0.0.0", "--port", "8000"]  # noqa: S104 - a host of its own
    stub += ["--stored", str(store), "--delay-ms", str(delay_ms)]
    hosts.start("target", stub, tmp_path, {}, cluster.log("target"))
    wait_until(lambda: "http" in cluster.log("target").read_text(), "the target")

    # Kubernetes starts the pods in any order: here, both workers wait for the master.
    workers = [cluster.start("worker", host) for host in ("one", "two")]
    wait_until(lambda: all("Starting Locust" in cluster.log(host).read_text() for host in ("one", "two")), "workers")
    master = cluster.start("master", "master", LOADGATE_PUT_TOKEN=TOKEN)

    assert [worker.wait(100) for worker in workers] == [0, 0], cluster.output()
    if is_terminated:
        master.terminate()
    assert master.wait(60) == code, cluster.output()
    (archive,) = store.iterdir()
    run = stored_run(archive)
    assert run["verdict"]["exit_code"] == code
    assert [item["process"] for item in run["generator"]] == ["master", "worker 0", "worker 1"]
    assert run["totals"]["overall"]["requests"] == requests_of(hosts, tmp_path)
    assert TOKEN not in cluster.output()
    assert "storing the run folder" in cluster.log("master").read_text()


def requests_of(hosts: Hosts, folder: Path) -> int:
    """Return the number of GET requests that the target has counted, without this one."""
    code = f"import urllib.request as r; print(r.urlopen('{TARGET}/metrics').read().decode())"
    log = folder / "metrics.txt"
    assert hosts.start("one", [sys.executable, "-c", code], folder, {}, log).wait(60) == 0, log.read_text()
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("stub_requests_total ")]
    return int(line.split()[1]) - 2  # the archive and this request


def test_nothing_is_left_of_the_hosts_after_an_error(tmp_path: Path) -> None:
    made = Hosts("one", "two")

    def break_off() -> None:
        with made:
            made.start("one", ["sleep", "600"], tmp_path, {"PATH": "/bin:/usr/bin"}, tmp_path / "log")
            assert len([name for name in made.namespaces() if name.startswith(made.token)]) == 3
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        break_off()
    assert [process.returncode for process in made.started] == [-signal.SIGKILL]
    assert not [name for name in made.namespaces() if name.startswith(made.token)]
    assert not list(NAMES.glob(f"{made.token}*"))
