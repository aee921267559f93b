"""Test the Dockerfile of the service without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from inference_core.app.stack.ports import LOOPBACK
from inference_core.core.paths import HEALTH_PREFIX
from tests.support.deploy_tools import DEPLOY, deploy_tool, output_of
from tests.support.dockerfile import Copy, Stage, kept_by, read_dockerfile
from tests.support.stack import ROOT

LIVE = f"{HEALTH_PREFIX}/live"
MINIMUM_UID = 10_000


@pytest.fixture(scope="module")
def build() -> Stage:
    return read_dockerfile(DEPLOY / "Dockerfile")[0]


@pytest.fixture(scope="module")
def image() -> Stage:
    return read_dockerfile(DEPLOY / "Dockerfile")[-1]


def test_the_image_is_run_by_a_user_to_whom_nothing_belongs(image: Stage) -> None:
    user, _, group = image.one("USER").partition(":")
    assert int(user) >= MINIMUM_UID
    assert int(group) >= MINIMUM_UID
    assert "--chown" not in "".join(image.all("COPY"))


def test_the_image_installs_nothing_itself(build: Stage, image: Stage) -> None:
    assert image.all("RUN") == []
    assert image.base == build.base
    assert {Copy.read(argument).stage for argument in image.all("COPY")} == {build.name}


def test_the_base_image_has_a_python_of_the_project(image: Stage) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (least, most) = re.findall(r"3\.(\d+)", project["requires-python"])
    match = re.fullmatch(r"python:3\.(\d+)-slim", image.base)
    assert match is not None
    assert int(least) <= int(match[1]) < int(most)


def test_the_build_context_contains_what_is_copied_and_nothing_else(build: Stage) -> None:
    copied = {source for argument in build.all("COPY") for source in Copy.read(argument).sources}
    # The folder contains the file, which is copied earlier.
    copied.discard("inference_core/__init__.py")
    assert kept_by(DEPLOY / "Dockerfile.dockerignore") == copied
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_contains_the_packages_of_the_service_only(build: Stage, image: Stage) -> None:
    copied = [Copy.read(argument) for argument in image.all("COPY")]
    assert [(copy.sources, copy.target) for copy in copied] == [
        (("/service/.venv",), ".venv/"),
        (("/service/inference_core",), "inference_core/"),
    ]
    assert "setup.py --image" in " ".join(build.all("RUN"))


def test_the_labels_have_the_version_of_the_project(image: Stage) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = image.labels()
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]


def test_the_commands_are_in_exec_form(image: Stage) -> None:
    assert image.command() == ["inference-core", "serve"]
    assert image.variables()["HOST"] == "0.0.0.0"  # noqa: S104  # inside of a container
    assert image.one("EXPOSE") == image.variables()["PORT"]


@pytest.fixture
def live_server() -> Iterator[tuple[HTTPServer, list[int]]]:
    """A server that responds to the path of liveness with the status in the list, and with 404 to other paths."""
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == LIVE else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not into the tests' output."""

    server = HTTPServer((LOOPBACK, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server, status
    server.shutdown()
    server.server_close()


@pytest.mark.process
def test_the_health_check_asks_for_liveness(image: Stage, live_server: tuple[HTTPServer, list[int]]) -> None:
    server, status = live_server
    program, *arguments = image.healthcheck()
    assert program == "python"

    def check() -> int:
        env = {**os.environ, "PORT": str(server.server_port)}
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=env, stderr=subprocess.DEVNULL, check=False, timeout=60).returncode

    assert check() == 0
    status[0] = 503
    assert check() != 0


@pytest.mark.parametrize("dockerfile", [DEPLOY / "Dockerfile", DEPLOY / "load" / "Dockerfile"], ids=["service", "load"])
@pytest.mark.full
@pytest.mark.process
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    output_of(deploy_tool("hadolint"), dockerfile)


@pytest.mark.full
@pytest.mark.process
def test_hadolint_finds_a_defect(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp\nCMD inference-core serve\n")
    assert "DL3025" in output_of(deploy_tool("hadolint"), tmp_path / "Dockerfile", code=1)
