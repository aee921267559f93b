"""`inference-core serve`: where it listens, how it stops, and what it refuses."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from inference_core.app.cli import command_line
from inference_core.app.serve import AddressError, ServeOptions, serve
from inference_core.app.stack.ports import LOOPBACK, free_port
from inference_core.service import service
from tests.support.processes import stop, wait_until
from tests.support.service import PREFIX, service_env
from tests.support.settings import Settings
from tests.support.stack import BIN

START_S = 90.0
CLIENT = "203.0.113.9"


def refused(**changes: object) -> str:
    """The message of a server that cannot listen where it should."""
    options = {"host": LOOPBACK, "port": 0, "unix_socket": None, "workers": 1, "keep_alive_s": 5} | changes
    with pytest.raises(AddressError) as raised:
        serve(ServeOptions(**options), Settings(_env_file=None))  # type: ignore[arg-type]
    text = str(raised.value)
    assert "\n" not in text
    return text


@pytest.fixture(autouse=True)
def no_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logging of the test process stays as it is."""
    monkeypatch.setattr("inference_core.app.serve.configure_logging", lambda _: None)


def test_an_address_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(port=port).startswith(f"cannot listen at {LOOPBACK}:{port}: Address already in use; choose")
    assert refused(host="no.such.host.invalid").startswith("--host 'no.such.host.invalid' cannot be used: ")
    assert refused(host="x" * 70).startswith("--host 'xxxx")
    assert refused(host="203.0.113.1").startswith("cannot listen at 203.0.113.1:0: ")
    assert "No such file or directory" in refused(unix_socket=tmp_path / "none" / "api.sock")
    assert "too long" in refused(unix_socket=tmp_path / ("x" * 120))
    (tmp_path / "file").write_text("kept")
    assert "Address already in use" in refused(unix_socket=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(tmp_path / "api.sock"))
        taken.listen()
        assert "Address already in use" in refused(unix_socket=tmp_path / "api.sock")


@pytest.mark.parametrize(
    ("env", "arguments", "named"),
    [
        ({"PORT": "eighty"}, [], "PORT"),
        ({"PORT": "65536"}, [], "PORT"),
        ({"WEB_CONCURRENCY": "0"}, [], "WEB_CONCURRENCY"),
        ({}, ["--workers", "65"], "--workers"),
        ({}, ["--keep-alive", "0"], "--keep-alive"),
    ],
)
def test_a_wrong_option_is_named(env: dict[str, str], arguments: list[str], named: str) -> None:
    result = CliRunner(env=env).invoke(command_line(service), ["serve", *arguments])
    assert result.exit_code == 2
    assert named in result.stderr.splitlines()[-1]


def test_a_wrong_setting_is_one_line() -> None:
    result = CliRunner(env={"TRUSTED_PROXIES": "*"}).invoke(command_line(service), ["serve", "--port", "0"])
    assert result.exit_code == 1
    assert result.stderr.startswith("inference-core: settings: TRUSTED_PROXIES: must be addresses and networks")
    assert result.stderr.count("\n") == 1


def test_the_help_has_examples_and_exit_codes() -> None:
    shown = CliRunner(env={"COLUMNS": "100"}).invoke(command_line(service), ["serve", "--help"]).stdout
    assert "  inference-core serve --host 0.0.0.0 --port 8000\n" in shown
    assert "  3  the service refuses to start" in shown
    assert "env var: PORT" in shown


@contextmanager
def serving(folder: Path, env: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([BIN / "inference-core", "serve", *arguments], env=env, stdout=log, stderr=log)
        try:
            yield process
        finally:
            stop(process)


def is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get(f"{PREFIX}/health/ready").status_code == 200
    except httpx2.TransportError:
        return False


def accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_a_unix_socket_is_served_until_sigterm_and_the_client_is_the_one_that_the_proxy_names(
    tmp_path: Path, redis_url: str
) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    env = service_env(tmp_path, redis_url, LOG_FORMAT="json", TRUSTED_PROXIES="unix", SHUTDOWN_DRAIN_S="2")
    transport = httpx2.HTTPTransport(uds=str(path))
    with (
        serving(tmp_path, env, "--unix-socket", str(path)) as process,
        httpx2.Client(transport=transport, base_url="http://service", timeout=10) as client,
    ):
        wait_until(lambda: process.poll() is not None or accepts(path), within_s=START_S, what="the API listening")
        assert process.poll() is None, (tmp_path / "log").read_text()
        wait_until(lambda: is_ready(client), what="the API ready")
        assert client.get(f"{PREFIX}/auth/me", headers={"X-Forwarded-For": f"6.6.6.6, {CLIENT}"}).status_code == 401
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get(f"{PREFIX}/health/ready").status_code == 503, what="a drain")
        assert process.wait(30) == 0
    assert not path.exists()
    assert f'"ip": "{CLIENT}"' in (tmp_path / "log").read_text()


@pytest.mark.full
def test_several_processes_serve_one_port_and_stop_together(tmp_path: Path, redis_url: str) -> None:
    port = free_port()
    env = service_env(tmp_path, redis_url, PORT=str(port), HOST=LOOPBACK, WEB_CONCURRENCY="2")
    with (
        serving(tmp_path, env) as process,
        httpx2.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as client,
    ):
        wait_until(lambda: process.poll() is not None or is_ready(client), within_s=START_S, what="the API ready")
        metrics = client.get("/metrics").text
        assert "http_request_duration_seconds" in metrics
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    log = (tmp_path / "log").read_text()
    assert "Started parent process" in log
    assert log.count("Finished server process") == 2


@pytest.mark.full
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_refused_start_has_an_exit_code_of_its_own(tmp_path: Path, redis_url: str, workers: str) -> None:
    env = service_env(tmp_path, redis_url)
    production = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "x" * 32,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}",
        "MAIL_TRANSPORT": "outbox",
    }
    with serving(tmp_path, env | production, "--port", str(free_port()), "--workers", workers) as process:
        assert process.wait(START_S) == 3, (tmp_path / "log").read_text()
    assert "inference-core migrate" in (tmp_path / "log").read_text()
