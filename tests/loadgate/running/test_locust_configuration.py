"""Test that `loadgate run` accepts locustfiles, hosts and options in all of Locust's ways."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.loadgate.running.support import (
    ERROR,
    PASS,
    USAGE,
    document,
    finish,
    free_port,
    loadgate_command,
)
from tests.loadgate.stub_server import StubServer

USERS = """
from locust import HttpUser, User, constant, task


class Web(HttpUser):
    wait_time = constant(0.05)
    {web_host}

    @task
    def get(self):
        self.client.get("{base}/ok", name="ok")


class Own(User):
    wait_time = constant(0.05)
    group = "own"

    @task
    def call(self):
        self.environment.events.request.fire(request_type="RPC", name="call", response_time=1, response_length=0)
"""
GATE = """
import loadgate
from loadgate import LoadProfile
from loadgate.health import HealthLimits
from {module} import Own, Web

PROFILES = {{
    name: LoadProfile(
        name=name, users=2, spawn_rate=20, run_time="1s", weight_config=weights, rules=["overall: failures <= 0"]
    )
    for name, weights in {{"both": {{"Web": 1, "Own": 1}}, "own": {{"Own": 1}}, "web": {{"Web": 1}}}}.items()
}}
loadgate.install(
    profiles=PROFILES,
    user_classes=[Web, Own],
    requests=["RPC"],
    generator_limits=HealthLimits(cpu_share=100, lag_p99_ms=60_000, throttled_share=1),
    {more}
)
"""


def suite(folder: Path, *, base: str = "", web_host: str = "", more: str = "") -> None:
    """Create two locustfiles in `folder`: one with users, and one that adds the load gate."""
    folder.mkdir(exist_ok=True)
    (folder / "people.py").write_text(USERS.format(base=base, web_host=web_host))
    (folder / "zgate.py").write_text(GATE.format(module="people", more=more))


def gate(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return finish(loadgate_command(*arguments), folder, **env)


def names(folder: Path) -> set[str]:
    return {item["name"] for item in document(folder)["totals"]["requests"]}


def test_a_folder_of_locustfiles_and_a_configuration_file_that_overrides_the_profile(
    tmp_path: Path, stub: StubServer
) -> None:
    suite(tmp_path / "load")
    (tmp_path / "locust.conf").write_text(f"host = {stub.url}\nusers = 3\nrun-time = 2s\nspawn-rate = 20\n")
    done = gate(tmp_path, "run", "both", "-f", "load")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    assert (run["run"]["host"], run["run"]["users"], run["run"]["planned_s"]) == (stub.url, 3, 2)
    (note,) = run["verdict"]["notes"]
    assert note.endswith("locust.conf overrides profile 'both': users 3 instead of 2, run time 2s instead of 1")
    assert f"loadgate: {note}\n" in done.stderr
    assert names(tmp_path) == {"ok", "call"}


@pytest.mark.full
@pytest.mark.parametrize("host", ["ws://127.0.0.1:1", "localhost:1883", "grpc://nowhere"])
def test_hosts_for_own_clients_of_the_suite(tmp_path: Path, stub: StubServer, host: str) -> None:
    suite(tmp_path, base=stub.url)
    done = gate(tmp_path, "run", "both", "-f", "people.py, zgate.py", "--host", host, LOCUST_USERS="3")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    assert (run["run"]["host"], run["run"]["users"]) == (host, 3)
    assert run["verdict"]["notes"] == ["the environment overrides profile 'both': users 3 instead of 2"]
    assert names(tmp_path) == {"ok", "call"}


@pytest.mark.full
@pytest.mark.parametrize("way", ["LOCUST_HOST", "class", "none needed", "no scheme"])
def test_a_host_from_locusts_own_configuration(tmp_path: Path, stub: StubServer, way: str) -> None:
    suite(
        tmp_path,
        base="" if way != "no scheme" else stub.url,
        web_host=f'host = "{stub.url}"' if way == "class" else "",
        more="preflight=[]," if way == "no scheme" else "",
    )
    profile = "own" if way == "none needed" else "web"
    options = ["--host", "localhost:80"] if way == "no scheme" else []
    env = {"LOCUST_HOST": stub.url} if way == "LOCUST_HOST" else {}
    done = gate(tmp_path, "run", profile, "-f", "zgate.py", *options, **env)
    assert done.returncode == PASS, done.stdout + done.stderr
    shown = {"none needed": "", "no scheme": "localhost:80"}.get(way, stub.url)
    assert document(tmp_path)["run"]["host"] == shown


@pytest.mark.full
def test_a_suite_that_cannot_run_is_one_line(tmp_path: Path) -> None:
    suite(tmp_path)
    dead = f"http://127.0.0.1:{free_port()}"
    for arguments, code, line in (
        (["web"], USAGE, "no host to test: use --host, set TARGET_HOST, or declare [tool.loadgate.target]"),
        (
            ["web", "--host", "localhost:80"],
            USAGE,
            "the host 'localhost:80' is not an http:// or https:// address; did you mean http://localhost:80?",
        ),
        (["web", "--host", "http://x:port"], USAGE, "the host 'http://x:port' has no valid address or port"),
        (["both", "--host", dead], ERROR, f"target: {dead} is not reachable (Connection refused)"),
        (["web", "-f", "zgate.py,nowhere.py"], USAGE, "nowhere.py: locustfile not found"),
    ):
        done = gate(tmp_path, "run", "-f", "zgate.py", *arguments)
        assert (done.returncode, done.stderr) == (code, f"loadgate: {line}\n"), arguments
    assert not (tmp_path / "reports").exists() or not list((tmp_path / "reports").rglob("run.json"))


@pytest.mark.full
def test_requests_of_the_gate_never_use_a_proxy(tmp_path: Path, stub: StubServer) -> None:
    suite(tmp_path)
    check = '[[tool.loadgate.doctor]]\nname = "API"\nkind = "http-json"\nwhere = "/x"\nexpect = { status = "ok" }\n'
    (tmp_path / "pyproject.toml").write_text(check)
    dead = f"http://127.0.0.1:{free_port()}"
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"), dead)
    doctor = gate(tmp_path, "doctor", "--host", stub.url, **proxies)
    assert (doctor.returncode, doctor.stdout) == (PASS, f"ok       API: {stub.url}/x returned 200\n")
    done = gate(tmp_path, "run", "web", "-f", "zgate.py", "--host", stub.url, **proxies)
    assert done.returncode == PASS, done.stdout + done.stderr
    assert names(tmp_path) == {"ok"}
