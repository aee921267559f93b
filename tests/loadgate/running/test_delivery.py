"""Test that the folder of a run reaches a server, and what the exit code says if it does not."""

from __future__ import annotations

import io
import re
import signal
import tarfile
from pathlib import Path

import pytest

from tests.loadgate.running.support import (
    ERROR,
    FAIL,
    FULL,
    PASS,
    SUITE,
    Started,
    finish,
    loadgate_command,
    master_ports,
    run_folder,
    wait_until,
)
from tests.loadgate.stub_server import StubServer

TOKEN = "a-secret-token"


def command(stub: StubServer, profile: str, *more: str) -> list[str]:
    run = ["run", profile, "-f", str(SUITE), "--host", stub.url]
    return loadgate_command(*run, *more)


def test_the_folder_of_a_run_reaches_the_server(tmp_path: Path, stub: StubServer) -> None:
    done = finish(command(stub, "roomy", "--put", f"{stub.url}/runs/?sig=a"), tmp_path, LOADGATE_PUT_TOKEN=f"{TOKEN}\n")
    assert done.returncode == PASS, done.stdout + done.stderr
    folder = run_folder(tmp_path)
    archive = stub.stored[f"/runs/{folder.name}.tar.gz?sig=a"]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = {name for item in tar.getmembers() if (name := item.name.partition("/")[2])}
    assert names == {path.name for path in folder.iterdir()}
    assert {"run.json", "report.html", "junit.xml", "summary.md"} <= names
    assert stub.authorizations[f"Bearer {TOKEN}"] == 1
    said = done.stdout + done.stderr
    assert f" at {stub.url}/runs/{folder.name}.tar.gz\n" in said
    assert not re.search(
        f"{TOKEN}|sig=a", said + (folder / "run.json").read_text() + (folder / "report.html").read_text()
    )


@pytest.mark.parametrize(("profile", "code"), [("roomy", ERROR), pytest.param("tight", FAIL, marks=FULL)])
def test_only_a_pass_is_lost_with_its_folder(tmp_path: Path, stub: StubServer, profile: str, code: int) -> None:
    stub.put_statuses = [403]
    stub.delay_s = 0.15 if profile == "tight" else 0
    done = finish(command(stub, profile), tmp_path, LOADGATE_PUT_URL=f"{stub.url}/x")
    assert done.returncode == code, done.stdout + done.stderr
    assert f"loadgate: the run folder was not stored: {stub.url}/x returned 403\n" in done.stdout
    assert (run_folder(tmp_path) / "run.json").exists()


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=FULL)])
def test_a_run_that_did_not_take_place_has_nothing_to_deliver(tmp_path: Path, stub: StubServer, workers: int) -> None:
    master = ["--master", "--expect-workers", "2", "--expect-workers-max-wait", "1", *master_ports()]
    host = ["--host", stub.url, *master] if workers else ["--host", "http://127.0.0.1:9"]
    done = finish(
        loadgate_command("run", "roomy", "-f", str(SUITE), *host, "--put", f"{stub.url}/x", "--keep", "1h"), tmp_path
    )
    assert done.returncode == ERROR, done.stdout + done.stderr
    assert ("Gave up waiting for workers to connect" if workers else "is not reachable") in done.stderr
    assert "the run folder" not in done.stdout
    assert not stub.stored


@FULL
def test_a_kept_run_ends_with_its_verdict_on_sigterm(tmp_path: Path, stub: StubServer) -> None:
    with Started(command(stub, "roomy", "--keep", "1h"), tmp_path) as run:
        wait_until(lambda: "the run folder is kept for 1 h" in run.output, "the end of the load", 100)
        assert run.process.poll() is None
        run.signal(signal.SIGTERM)
        assert run.wait() == PASS, run.output
