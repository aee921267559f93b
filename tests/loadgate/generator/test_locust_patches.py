"""Test the patches of Locust: one file, matching the installed versions, checked weekly with the newest versions."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
GENERATOR = ROOT / "loadgate" / "generator"
PATCHES = GENERATOR / "locust_patches.py"
WORKFLOW = ROOT / ".github" / "workflows" / "newest-locust.yml"
FOREIGN = {"locust", "gevent", "geventhttpclient", "flask", "urllib3", "requests"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a separate process, because Locust patches the standard library."""
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_patch_fits_the_installed_versions() -> None:
    done = python("-m", "loadgate.generator.locust_patches")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"[1-9]\d* patched attributes and [1-9]\d* overrides fit\n", done.stdout)


def test_a_patch_that_does_not_fit_is_reported_with_its_file() -> None:
    program = """
from locust import User
from loadgate.generator.locust_patches import VALUE, Patch, drifted
gone, changed = Patch(User, "gone", "(self)", "a.py"), Patch(User, "stop", "(self)", "b.py")
plain, fine = Patch(User, "weight", "(self)", "c.py"), Patch(User, "host", VALUE, "d.py")
print("\\n".join(drifted([gone, changed, plain, Patch(User, "context", "(self)", "e.py")])))
"""
    done = python("-c", program)
    assert done.stdout.splitlines() == [
        "User.gone no longer exists; loadgate/generator/a.py replaces it",
        "User.stop takes (self, force=False), not (self); loadgate/generator/b.py replaces it",
        "User.weight is no longer a function but 1; loadgate/generator/c.py replaces it",
    ], done.stderr


def test_an_undeclared_attribute_cannot_be_replaced() -> None:
    program = """
from locust import User
from loadgate.generator.locust_patches import replace, replace_of
for attempt in (lambda: replace(User, wait=None), lambda: replace_of(object(), feed=None)):
    try:
        attempt()
    except LookupError as error:
        print(error)
"""
    done = python("-c", program)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["'wait'", "'feed'"], done.stderr


def test_the_table_lists_every_patch() -> None:
    table = ast.get_docstring(ast.parse(PATCHES.read_text())) or ""
    declared = set(re.findall(r'Patch\(\s*[\w.]+,\s*"(\w+)"', PATCHES.read_text().partition("OVERRIDES")[0]))
    replaced_by_class = {"fire", "_report_request", "_build_request", "_create_tcp_socket", "_is_socket_alive"}
    replaced_by_class |= {"get_socket", "return_socket", "release_socket"}
    assert len(declared) > 20
    assert [name for name in sorted(declared - replaced_by_class) if name not in table] == []


def foreign_assignments(path: Path) -> Iterator[str]:
    """Yield the assignments to attributes of classes and of imports from Locust and similar packages."""
    tree = ast.parse(path.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FOREIGN:
            imported |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name for alias in node.names if alias.name.partition(".")[0] in FOREIGN}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if node.attr == "__class__" or (isinstance(root, ast.Name) and root.id in imported):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_no_other_file_of_the_generator_patches() -> None:
    others = [path for path in GENERATOR.rglob("*.py") if path != PATCHES]
    assert len(others) > 20
    assert [place for path in others for place in foreign_assignments(path)] == []
    assert list(foreign_assignments(PATCHES))


def commands() -> list[list[str]]:
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["suite"]["steps"]
    return [shlex.split(line) for step in steps for line in step.get("run", "").splitlines()]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_weekly_workflow_names_commands_that_exist(command: list[str]) -> None:
    program, *arguments = command
    if program == "make":
        assert re.search(rf"^[^\t#:]*\b{arguments[0]}\b[^:]*:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    assert program.startswith(".venv/bin/")
    installed = Path(sys.executable).parent / Path(program).name
    assert installed.exists()
    if arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]) is not None
    else:
        help_of = [installed, arguments[0], "--help"]
        shown = subprocess.run(help_of, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert all(option in shown for option in arguments if option.startswith("--")), shown


def test_the_weekly_workflow_installs_the_newest_locust_and_runs_the_suite() -> None:
    written = [" ".join(command) for command in commands()]
    wanted = ("pip install --upgrade", "loadgate.generator.locust_patches", "loadgate run")
    places = [index for part in wanted for index, line in enumerate(written) if part in line]
    assert places == sorted(places)
    assert len(places) == len(wanted)
