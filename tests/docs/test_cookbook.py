"""The code of the cookbook works: each page is written into a service of its own, checked, tested and started."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.exceptions import TyperException

from inference_core.app.generate.project import new_project
from inference_core.core import exceptions
from inference_core.core.problems import status_of
from tests.docs.commands import check_command, check_name
from tests.docs.pages import Page, changed, commands_of, imported, parse, read_page
from tests.loadgate.running.support import ERROR, document, finish, loadgate_command
from tests.support import preloaded
from tests.support.stack import ROOT, clean_environment

COOKBOOK = ROOT / "docs" / "cookbook"
PAGES = [read_page(path) for path in sorted(COOKBOOK.glob("*.md")) if path.stem != "README"]
# The other commands run until they are stopped.
ENDING = re.compile(r"inference-core (revision|migrate|upgrade|downgrade|current|openapi)\b")
RUNS = "loadgate run notes"
# The files of the feature that a page does not show.
EMPTY = {
    "shop/notes/__init__.py": '"""Notes of users."""\n',
    "shop/notes/feature.py": 'from inference_core.core.feature import Feature\n\nfeature = Feature(name="notes")\n',
}
WITH_COMMANDS = [
    *sorted(COOKBOOK.glob("*.md")),
    *(ROOT / name for name in ("AGENTS.md", "CONTRIBUTING.md", "README.md", "docs/own-service.md")),
]
PAGES_OF_DOCUMENTATION = [
    *sorted(ROOT.glob("*.md")),
    *(path for place in ("docs", "examples") for path in sorted((ROOT / place).rglob("*.md"))),
]
NAMED_COMMAND = re.compile(r"`((?:\.venv/bin/)?(?:inference-core|loadgate) [a-z][^`]*)`")
BIN = Path(sys.executable).parent
# The process that is forked for pytest has already imported the plugins.
WARNINGS = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
STARTED = Path(__file__).with_name("started.py")
by_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The services of the pages: a new service, whose feature `notes` is that of the page."""
    folder = tmp_path_factory.mktemp("cookbook")
    new_project(folder / "new", "shop", None, bare=False)
    return {page.name: write(page, folder / "new", folder / page.name) for page in PAGES}


def write(page: Page, new: Path, folder: Path) -> Path:
    """Write the service of a page. Only its list of features still has the feature that `new` has."""
    shutil.copytree(new, folder)
    for part in ("shop/notes", "tests/notes"):
        shutil.rmtree(folder / part)
    for part in ("tests/performance/users/notes.py", "tests/test_service.py"):
        (folder / part).unlink()
    if page.diffs:
        shutil.copytree(ROOT / "inference_core", folder / "inference_core")
    for name, diff in page.diffs:
        (folder / name).write_text(changed((folder / name).read_text(), diff))
    for name, text in {**EMPTY, **page.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def succeed(folder: Path, *command: str | Path) -> None:
    # A page that changes the template has a copy of it.
    env = clean_environment(**({"PYTHONPATH": str(folder)} if (folder / "inference_core").is_dir() else {}))
    done = preloaded.run([*map(str, command)], cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"\]\((\S+)\.md\)", (COOKBOOK / "README.md").read_text())
    assert sorted(name for name in listed if "/" not in name) == sorted(page.name for page in PAGES)


@by_page
def test_a_page_has_a_test_of_its_code(page: Page) -> None:
    assert any(name.startswith(("tests/test_", "tests/notes/")) for name in page.files) or RUNS in page.commands


def test_the_table_of_errors_has_the_status_of_each() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|$", (COOKBOOK / "error.md").read_text(), re.MULTILINE)
    assert len(rows) >= 8
    assert rows == [(name, str(status_of(getattr(exceptions, name)))) for name, _ in rows]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# Page\n\n```python\nx = 1\n```\n", "no line with a path"),
        ("`a.py`\n\n```python\nx = 1\n```\n", "no line with a path"),
        ("`a.py`\n```python\nx = 1\n", "has no end"),
        ("`a.py`\n```python\n```\n`a.py`\n```python\n```\n", "is there twice"),
    ],
)
def test_no_code_is_left_out(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse("page", text)


@pytest.mark.parametrize("diff", [" one\n+two", "-three", " missing\n+two"])
def test_a_diff_that_does_not_fit_is_found(diff: str) -> None:
    assert changed("one\nthree\n", " one\n-three\n+two") == "one\ntwo\n"
    with pytest.raises(ValueError, match="are there"):
        changed("one\none\nthree\nthree\n", diff)


@pytest.mark.parametrize(
    "command", ["inference-core migrat", "inference-core up --prt 1", "make tset", "cp missing x", "sudo reboot"]
)
def test_a_wrong_command_is_found(command: str) -> None:
    with pytest.raises((ValueError, TyperException)):
        check_command(command)


def test_a_wrong_name_of_a_command_is_found() -> None:
    check_name(".venv/bin/inference-core generate feature")
    for command in ("inference-core migrat", "inference-core generate featur", "loadgate rn light"):
        with pytest.raises(ValueError, match="there is no command"):
            check_name(command)


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: path.stem)
def test_the_commands_exist(path: Path) -> None:
    for command in commands_of(path):
        check_command(command)


@pytest.mark.parametrize("path", PAGES_OF_DOCUMENTATION, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_that_texts_name_exist(path: Path) -> None:
    for command in NAMED_COMMAND.findall(path.read_text(encoding="utf-8")):
        check_name(command)


@by_page
def test_the_names_that_the_code_imports_exist(page: Page) -> None:
    own = {name.removesuffix(".py").replace("/", ".") for name in page.files}
    names = {pair for name, text in page.files.items() if name.endswith(".py") for pair in imported(text)}
    assert [pair for pair in sorted(names) if pair[0] not in own and not hasattr(import_module(pair[0]), pair[1])] == []


def test_the_code_keeps_the_rules_of_ruff(services: dict[str, Path]) -> None:
    files = [services[page.name] / name for page in PAGES for name in page.files if name.endswith(".py")]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [BIN / "ruff", *command, "--quiet", "--no-cache", *files],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.full
@by_page
def test_the_types_are_right(page: Page, services: dict[str, Path]) -> None:
    folder = services[page.name]
    tests = [name for name in page.files if re.fullmatch(r"tests/(?!performance/).*\.py", name)]
    succeed(folder, sys.executable, "-m", "mypy", "--cache-dir", str(folder.parent / "mypy"), "shop", *tests)


@pytest.mark.full
@by_page
def test_the_service_starts_and_passes_its_tests(page: Page, services: dict[str, Path]) -> None:
    folder = services[page.name]
    for command in page.commands:
        if ENDING.match(command):
            succeed(folder, BIN / "inference-core", *shlex.split(command)[1:])
    shutil.copy(STARTED, folder / "tests" / "test_started.py")
    succeed(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *WARNINGS)


@pytest.mark.full
def test_the_load_users_of_the_page_run(services: dict[str, Path]) -> None:
    folder = services["load-user"]
    assert RUNS in next(page for page in PAGES if page.name == "load-user").commands
    (folder / ".venv").symlink_to(ROOT / ".venv")
    listed = finish(loadgate_command("profiles"), folder)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "notes" in re.findall(r"^(\w+)(?: \(default\))?:", listed.stdout, re.MULTILINE)
    # It is too short for its limits, but the users and the target work.
    done = finish(loadgate_command(*RUNS.split()[1:], "-t", "4s", "-r", "10"), folder)
    assert done.returncode != ERROR, done.stdout + done.stderr
    run = document(folder)
    assert done.returncode == run["verdict"]["exit_code"]
    assert run["totals"]["overall"]["failures"] == 0
    assert run["totals"]["groups"]["notes"]["requests"] > 0
    assert [rule["rule"] for rule in run["verdict"]["rules"]] == ["notes: p95 < 100ms", "overall: failures < 1%"]
