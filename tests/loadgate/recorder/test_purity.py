"""The measurement core can be read and tested without Locust: nothing of it imports Locust, gevent or a socket."""

import ast
from pathlib import Path

import loadgate

PURE = ("recorder", "rules", "arrival.py", "profile.py", "durations.py")
FORBIDDEN = {"locust", "gevent", "socket", "threading", "time", "datetime", "requests", "os"}


def imports_of(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    return modules


def test_the_measurement_core_imports_no_clock_and_no_network() -> None:
    root = Path(loadgate.__file__).parent
    files = [path for name in PURE for path in ([root / name] if name.endswith(".py") else (root / name).rglob("*.py"))]

    assert len(files) > 15
    assert {path.name: imports_of(path) & FORBIDDEN for path in files if imports_of(path) & FORBIDDEN} == {}
