"""`scripts/setup.py` installs what `poetry.lock` says, on every platform it says it for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from types import ModuleType

import pytest

from tests.support.stack import ROOT


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


def test_without_the_tools_of_development_each_package_is_wanted_as_the_service_wants_it(setup: ModuleType) -> None:
    only_dev = '[[package]]\nname = "tool"\nversion = "1"\ngroups = ["dev"]\nfiles = [{file = "t", hash = "sha256:ff"}]'
    assert setup.requirements(LOCK + only_dev, setup.RUN_GROUPS).splitlines() == [
        "plain==1.0 --hash=sha256:aa --hash=sha256:bb",
        "somewhere==2.0 ; sys_platform == 'linux' --hash=sha256:cc",
        "by-group==3.0 ; (python_version < '3.13') --hash=sha256:dd",
        "unless-one-wants-it-always==4.0 ; (python_version < '3.13') --hash=sha256:ee",
    ]


def test_environment_holds_exactly_the_locked_versions() -> None:
    lock = tomllib.loads((ROOT / "poetry.lock").read_text())
    locked = {package["name"].lower().replace("_", "-"): package["version"] for package in lock["package"]}
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "list", "--format=freeze"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    installed = dict(line.split("==") for line in listing.lower().replace("_", "-").split() if "==" in line)
    differing = {
        name: (version, locked[name])
        for name, version in installed.items()
        if name in locked and version != locked[name]
    }
    assert not differing
    assert {"fastapi", "locust", "celery", "pytest"} <= installed.keys() & locked.keys()
