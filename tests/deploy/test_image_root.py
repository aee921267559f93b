"""Run the root file system of the image as a container runs it: read-only, as its user, with the loopback only."""

from __future__ import annotations

import filecmp
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from inference_core.app.stack.redis_server import find_redis_server, redis_command
from tests.loadgate.running.support import FAIL, INCONCLUSIVE, PASS
from tests.support.deploy_tools import DEPLOY, debian_tool
from tests.support.deployment import SECRETS
from tests.support.dockerfile import Stage, read_dockerfile
from tests.support.hosts import Hosts
from tests.support.image_root import IMAGE, sizes
from tests.support.processes import wait_until
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.stack import BIN, ROOT

pytestmark = [pytest.mark.full, pytest.mark.process, pytest.mark.timeout(600)]

HOST = "machine"
ASSEMBLE = "assemble it with: python -m tests.support.image_root"
SETTINGS = {
    **{name: SECRETS[name] for name in ("SECRET_KEY", "METRICS_TOKEN")},
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "DATABASE_URL": "sqlite:////tmp/service.db",
    "MAIL_OUTBOX_DIR": "/tmp/outbox",  # noqa: S108 - the only folder in which the service can write
    "MONITORING_ACCESS": "public",
}
NOT_IN_THE_IMAGE = ("locust", "pytest", "loadgate", "tests", "ruff", "mypy")
COMPILERS = ("gcc", "cc", "g++", "clang", "make", "ld")


@pytest.fixture(scope="module")
def root() -> Path:
    """The folder of the image with the present code of the service."""
    if not IMAGE.exists():
        skip_or_fail(ServerUnavailableError(f"there is no image; {ASSEMBLE}"))
    if differs(IMAGE / "service" / "inference_core", ROOT / "inference_core"):
        skip_or_fail(ServerUnavailableError(f"the image has other code; {ASSEMBLE}"))
    return IMAGE


def differs(one: Path, other: Path) -> bool:
    compared = filecmp.dircmp(one, other, ignore=["__pycache__"])
    if compared.left_only or compared.right_only or compared.diff_files:
        return True
    return any(differs(one / name, other / name) for name in compared.common_dirs)


@dataclass
class Containers:
    """Processes that run as containers do, on one host without a network. They share `/tmp`."""

    root: Path
    image: Stage
    hosts: Hosts
    folder: Path
    bwrap: str = field(default_factory=lambda: debian_tool("bwrap", "bubblewrap"))

    def __post_init__(self) -> None:
        (self.folder / "tmp").mkdir(mode=0o1777)
        (self.folder / "tmp").chmod(0o1777)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def run(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command as process 1 of a container, with the variables and the user of the image."""
        path = self.image.variables()["PATH"].replace("$PATH", "/usr/local/bin:/usr/bin:/bin")
        variables = {**self.image.variables(), "PATH": path, **SETTINGS}
        options = ["--ro-bind", str(self.root), "/", "--bind", str(self.folder / "tmp"), "/tmp", "--proc", "/proc"]  # noqa: S108
        # Every container runtime provides /dev/shm, which the semaphores of Celery need.
        options += ["--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
        options += ["--unshare-pid", "--unshare-ipc", "--as-pid-1", "--die-with-parent", "--clearenv"]
        for variable, value in variables.items():
            options += ["--setenv", variable, value]
        for right in ("SETUID", "SETGID", "SETPCAP"):
            options += ["--cap-add", f"CAP_{right}"]
        uid, _, gid = self.image.one("USER").partition(":")
        user = [
            "setpriv",
            f"--reuid={uid}",
            f"--regid={gid}",
            "--clear-groups",
            "--bounding-set=-all",
            "--inh-caps=-all",
        ]
        options += ["--chdir", self.image.one("WORKDIR")]
        return self.hosts.start(HOST, [self.bwrap, *options, *user, *command], self.folder, os.environ, self.log(name))

    def ended(self, name: str, command: Sequence[str]) -> int:
        """Run a command to its end. Return the exit code."""
        return self.run(name, command).wait(120)

    def is_ready(self) -> bool:
        code = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/api/v1/health/ready', timeout=5)"
        return self.ended("ready", ["python", "-c", code]) == 0


def process_1(container: subprocess.Popen[bytes]) -> psutil.Process:
    (child,) = psutil.Process(container.pid).children()
    return child


@pytest.fixture(scope="module")
def containers(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    image = read_dockerfile(DEPLOY / "Dockerfile")[-1]
    with Hosts(HOST) as hosts:
        yield Containers(root, image, hosts, tmp_path_factory.mktemp("containers"))


def test_the_image_has_no_compiler_tests_or_load_generator(root: Path) -> None:
    (packages,) = (root / "service" / ".venv" / "lib").glob("python3.*/site-packages")
    names = {path.name.partition("-")[0].lower() for path in packages.iterdir()}
    assert {"fastapi", "celery", "sqlalchemy"} <= names
    assert names.isdisjoint(NOT_IN_THE_IMAGE)
    assert sorted(path.name for path in (root / "service").iterdir()) == [".venv", "inference_core"]
    for folder in ("usr/bin", "usr/local/bin", "service/.venv/bin"):
        assert {path.name for path in (root / folder).iterdir()}.isdisjoint({*COMPILERS, *NOT_IN_THE_IMAGE}), folder


def test_only_the_temporary_folder_is_writable(containers: Containers) -> None:
    assert containers.ended("user", ["id"]) == 0
    assert containers.log("user").read_text().startswith("uid=10001 gid=10001 groups=10001")
    assert containers.ended("write", ["touch", "/tmp/written"]) == 0  # noqa: S108
    for path in ("/service/written", "/etc/written", "/service/inference_core/main.py"):
        assert containers.ended("write", ["sh", "-c", f": >> {path}"]) != 0, path
    assert containers.ended("rights", ["grep", "-E", "^Cap(Eff|Bnd):\\s0+$", "/proc/self/status"]) == 0


def test_no_request_of_the_light_profile_fails(containers: Containers, capsys: pytest.CaptureFixture[str]) -> None:
    """Migrate, start a worker, beat and the API, and run a short load. Stop the API as a container is stopped."""
    hosts, folder = containers.hosts, containers.folder
    (folder / "redis").mkdir()
    hosts.start(
        HOST, redis_command(find_redis_server(), port=6379, data=folder / "redis"), folder, {}, folder / "redis.log"
    )
    assert containers.ended("migrate", ["inference-core", "migrate"]) == 0, containers.log("migrate").read_text()
    containers.run("worker", ["inference-core", "worker", "--concurrency", "1"])
    beat = containers.run("beat", ["inference-core", "beat"])
    started_s = time.monotonic()
    api = containers.run("api", containers.image.command())
    wait_until(lambda: api.poll() is not None or containers.is_ready(), within_s=120, what="the API")
    start_s = time.monotonic() - started_s
    assert api.poll() is None, containers.log("api").read_text()
    assert containers.ended("check", containers.image.healthcheck()) == 0, containers.log("check").read_text()
    check = ["inference-core", "check-worker"]
    wait_until(lambda: containers.ended("check-worker", check) == 0, within_s=120, what="the worker")

    (folder / "pyproject.toml").write_text(
        f"[tool.loadgate]\nlocustfile = '{ROOT}/tests/performance/locustfile.py'\nreports = 'reports'\n"
    )
    load = [str(BIN / "loadgate"), "run", "light", "--host", "http://127.0.0.1:8000", "-u", "4", "-t", "15s"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = hosts.start(HOST, load, folder, env, folder / "load.log").wait(200)
    said = (folder / "load.log").read_text()
    # Tests assert no speed, so any verdict of a complete run will do.
    assert done in {PASS, FAIL, INCONCLUSIVE}, said
    assert re.search(r"^overall: failures .* PASS$", said, re.MULTILINE), said
    assert re.search(r"^[1-9]\d* requests in 15 s, 0 % failed$", said, re.MULTILINE), said
    with capsys.disabled():
        verdict = re.search(r"^(PASS|FAIL|INCONCLUSIVE): .*$", said, re.MULTILINE)
        shown = verdict[0] if verdict else "no verdict"
        sys.stdout.write(f"\nimage: {sizes()}; the API was ready after {start_s:.1f} s; light: {shown}\n")

    assert beat.poll() is None, containers.log("beat").read_text()
    process_1(api).send_signal(signal.SIGTERM)
    wait_until(lambda: api.poll() is not None, within_s=60, what="the API stopped")
    assert api.returncode == 0, containers.log("api").read_text()
    assert "Traceback" not in "".join(containers.log(name).read_text() for name in ("api", "worker", "beat"))
