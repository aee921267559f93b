"""`inference-core new`: a service beside ours, or one line and no file."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference_core.app.cli import app
from inference_core.app.generate import project
from inference_core.app.generate.errors import GenerateError
from inference_core.app.generate.files import files_of
from tests.service.generate.conftest import Folder, content_of
from tests.support.stack import BIN, ROOT, clean_environment

pytestmark = pytest.mark.process


def test_a_new_service_has_its_own_name_and_depends_on_the_checkout(folder: Folder) -> None:
    said = folder.run("inference-core", "new", "tea-shop").splitlines()
    new = folder.path / "tea-shop"
    assert said == [f"wrote {new}", f"next: cd '{new}' && make perf"]
    assert {path.name for path in new.iterdir()} == {
        ".dockerignore",
        ".env.example",
        ".github",
        ".gitignore",
        "Dockerfile",
        "Makefile",
        "README.md",
        "pyproject.toml",
        "scripts",
        "tea_shop",
        "tests",
    }
    written = content_of(new)
    words = {word for text in written.values() for word in re.findall(r"[\w-]*shop[\w-]*", (text or b"").decode())}
    assert words == {"tea_shop", "tea-shop"}
    pyproject = tomllib.loads((new / "pyproject.toml").read_text())
    assert pyproject["project"]["name"] == "tea-shop"
    source = pyproject["tool"]["uv"]["sources"]["inference-core"]["path"]
    assert (new / source).resolve() == ROOT
    example = (new / ".env.example").read_text()
    assert "# APP_NAME=tea-shop\n" in example
    assert "# DATABASE_URL=sqlite+aiosqlite:///.local/tea_shop.db\n" in example
    assert "# Notes that one user can have.\n# NOTES_PER_USER=1000\n" in example
    assert "LLM" not in example


def test_the_first_make_installs_what_formats_generated_code(new_shop: Path) -> None:
    pyproject = tomllib.loads((new_shop / "pyproject.toml").read_text())
    installed = [pyproject["dependency-groups"][group] for group in pyproject["tool"]["uv"]["default-groups"]]
    assert any(package.startswith("ruff ") for group in installed for package in group)


def test_a_missing_formatter_is_named_with_the_command_that_formats(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ruff" else find_spec(name))
    said = project.new_project(folder.path / "shop", None, None, bare=False)
    assert said[1] == "ruff is not installed; format the new files with: make format"
    for makefile in (ROOT / "Makefile", folder.path / "shop" / "Makefile"):
        assert "\nformat: setup\n" in makefile.read_text()


def test_a_bare_service_has_no_feature_of_its_own(folder: Folder) -> None:
    folder.run("inference-core", "new", "shop", "--bare", "--name", "depot")
    new = folder.path / "shop"
    assert [name for name, text in content_of(new).items() if b"notes" in (text or b"") or "notes" in name] == []
    shown = Folder(new).run("inference-core", "settings")
    assert "# APP_NAME=depot" in shown
    assert Folder(new).run("loadgate", "profiles").split()[0] == "light"


@pytest.mark.full
def test_an_empty_folder_is_used(folder: Folder) -> None:
    (folder.path / "shop").mkdir()
    folder.run("inference-core", "new", folder.path / "shop")
    assert (folder.path / "shop" / "shop" / "service.py").is_file()


@pytest.mark.full
def test_a_path_below_the_working_directory_may_have_dots(folder: Folder) -> None:
    (folder.path / "inner").mkdir()
    Folder(folder.path / "inner").run("inference-core", "new", "../shop")
    assert (folder.path / "shop" / "Makefile").is_file()


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        ("full", [], "the folder is not empty; choose another path"),
        ("file", [], "it exists and is not a folder; choose another path"),
        ("missing/shop", [], "does not exist; create it first"),
        ("repository/inner/shop", [], "is a git repository; choose a path outside of it"),
        ("1shop", [], "the service '1shop': the name must consist of at most 24 lower-case letters"),
        ("Shop", [], "and start with a letter; choose another name with --name"),
        ("läden", [], "the service 'läden': the name must consist of"),
        ("class", [], "the service 'class': this is a keyword of Python; choose another name with --name"),
        ("json", [], "the service 'json': Python has a module or function of this name"),
        ("locust", [], "the service 'locust': there is a module of this name; choose another name with --name"),
        ("tests", [], "the service 'tests': there is a module of this name"),
        ("shop", ["--name", "a-b"], "the service 'a-b': the name must consist of"),
        ("shop", ["--template-path", "full"], "--template-path full: it is not a checkout of inference-core"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, path: str, options: list[str], expected: str
) -> None:
    (folder.path / "full").mkdir()
    (folder.path / "full" / "mine").touch()
    (folder.path / "file").touch()
    (folder.path / "repository" / "inner").mkdir(parents=True)
    (folder.path / "repository" / ".git").mkdir()
    before = content_of(folder.path)
    monkeypatch.chdir(folder.path)
    result = CliRunner().invoke(app, ["new", path, *options])
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, expected in line) == (1, True), line
    assert content_of(folder.path) == before


def test_a_folder_that_cannot_be_written_is_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    # The administrator, who runs the tests in CI, can write everywhere.
    monkeypatch.setattr(project.os, "access", lambda *_: False)
    with pytest.raises(GenerateError, match=r"the folder .* cannot be written; choose another path"):
        project.new_project(folder.path / "shop", None, None, bare=False)
    assert content_of(folder.path) == {}


def test_an_error_midway_leaves_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(project, "_settings_of", fail)
    with pytest.raises(OSError, match="No space"):
        project.new_project(folder.path / "shop", None, None, bare=False)
    assert content_of(folder.path) == {}


def test_ctrl_c_midway_leaves_nothing(folder: Folder) -> None:
    command = [BIN / "inference-core", "new", "shop"]
    with subprocess.Popen(command, cwd=folder.path, env=clean_environment(), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not content_of(folder.path):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert b"Traceback" not in said
    assert content_of(folder.path) == {}


def test_without_a_checkout_it_depends_on_the_installed_version(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "_checkout", lambda _: None)
    project.new_project(folder.path / "shop", None, None, bare=False)
    pyproject = tomllib.loads((folder.path / "shop" / "pyproject.toml").read_text())
    assert pyproject["project"]["dependencies"] == ["inference-core (==0.1.0)"]
    assert "sources" not in pyproject["tool"]["uv"]


def test_git_does_not_ignore_a_file_of_the_reference() -> None:
    """A wheel contains the files of the packages that git does not ignore."""
    reference = ROOT / "inference_core" / "app" / "generate" / "reference"
    command = ["git", "ls-files", "-co", "--exclude-standard", "."]
    listed = subprocess.run(command, cwd=reference, capture_output=True, text=True, check=True).stdout.splitlines()
    assert set(listed) == {str(path.relative_to(reference)) for path in files_of(reference)}
    assert {".gitignore", ".github/workflows/ci.yml", "tests/performance/locustfile.py"} < set(listed)
