"""How the full lane treats tests that fail once, twice, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "run_tests.py"
# A test passes from its second run on where a folder of the first run is left.
SUITE = """
import pathlib, pytest

@pytest.mark.parametrize("number", range({flaky}))
@pytest.mark.xdist_group("flaky")
def test_flaky(number):
    seen = pathlib.Path(__file__).with_name(f"seen-{{number}}")
    first = not seen.exists()
    seen.mkdir(exist_ok=True)
    assert not first

@pytest.mark.parametrize("number", range({broken}))
def test_broken(number):
    raise AssertionError

def test_sound():
    pass
"""


def run(folder: Path, *arguments: str, flaky: int = 0, broken: int = 0) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_suite.py").write_text(SUITE.format(flaky=flaky, broken=broken))
    command = [sys.executable, SCRIPT, "-q", "-p", "no:cacheprovider", "-p", "xdist", *arguments]
    # Plugins of other packages take seconds to import, and the suite uses none.
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)


def lines(done: subprocess.CompletedProcess[str], start: str) -> list[str]:
    return [line.removeprefix(start) for line in done.stdout.splitlines() if line.startswith(start)]


WARNING = "warning: flaky: failed among the others, passed alone: "


def test_two_flaky_tests_are_named_and_allowed(tmp_path: Path) -> None:
    done = run(tmp_path, "-n", "2", "--dist", "loadgroup", flaky=2)
    assert sorted(lines(done, WARNING)) == ["test_suite.py::test_flaky[0]", "test_suite.py::test_flaky[1]"]
    assert done.returncode == 0, done.stdout


def test_a_third_flaky_test_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, flaky=3)
    assert len(lines(done, WARNING)) == 3
    assert "3 tests are flaky; at most 2 may be" in done.stdout
    assert done.returncode == 1


def test_a_test_that_fails_twice_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, flaky=1, broken=1)
    assert lines(done, WARNING) == ["test_suite.py::test_flaky[0]"]
    assert lines(done, "failed twice: ") == ["test_suite.py::test_broken[0]"]
    assert done.returncode == 1


def test_many_failures_are_not_run_again(tmp_path: Path) -> None:
    done = run(tmp_path, broken=21)
    assert lines(done, "failed twice: ") == []
    assert done.returncode == 1


@pytest.mark.parametrize(("arguments", "status"), [((), 0), (("no_such_file.py",), 4), (("-k", "absent"), 5)])
def test_everything_else_keeps_the_exit_code_of_pytest(tmp_path: Path, arguments: tuple[str, ...], status: int) -> None:
    assert run(tmp_path, *arguments).returncode == status


def test_a_file_that_cannot_be_imported_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_broken_import.py").write_text("import absent_module\n")
    assert run(tmp_path).returncode != 0
