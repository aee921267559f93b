"""Whether the tests that a table of the documentation names exist."""

from __future__ import annotations

import re
from pathlib import Path


def named_tests(cell: str) -> list[tuple[str, str]]:
    """What a cell names, as (path, beginning of a name): `path`, `path::test_…`, or `test_…` of the path before."""
    found: list[tuple[str, str]] = []
    for reference in re.findall(r"`([^`]+)`", cell):
        path, _, prefix = reference.removesuffix("…").partition("::")
        if not path.endswith((".py", "/")):
            path, prefix = found[-1][0], path
        found.append((path, prefix))
    return found


def assert_tests_exist(cell: str, folder: Path) -> None:
    """Fail for a cell that names no test, or one that is not below `folder`."""
    named = named_tests(cell)
    assert named
    for path, prefix in named:
        if path.endswith("/"):
            assert any((folder / path).glob("test_*.py")), path
        else:
            assert f"def {prefix}" in (folder / path).read_text(), f"{path}::{prefix}"
