"""Check that pure packages import no clock, no network and no file system."""

import ast
from pathlib import Path

import loadgate

PURE_PACKAGES = ("recorder", "rules", "shape", "analysis")
FORBIDDEN = {"locust", "gevent", "socket", "threading", "time", "datetime", "requests", "os"}


def imports_of(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    return modules


def test_pure_packages_import_no_clock_and_no_network() -> None:
    root = Path(loadgate.__file__).parent
    for package in PURE_PACKAGES:
        files = list((root / package).rglob("*.py"))
        assert files, package
        assert {path.name: found for path in files if (found := imports_of(path) & FORBIDDEN)} == {}
