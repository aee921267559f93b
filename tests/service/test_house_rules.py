"""The rules of the house that a linter does not know: FastAPI stays at the edge, SQL in repositories, and layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import ROOT

PACKAGE = ROOT / "inference_core"
FEATURES = tuple(sorted(path.parent.name for path in PACKAGE.glob("*/feature.py") if path.parent.name != "core"))
# The layers above the features, which no feature imports. Those of the built-in features are in pyproject.toml.
ABOVE = {"app", "celery", "entry", "main", "service", "testing"}
HTTP = {"fastapi", "starlette"}
MAY_KNOW_HTTP = ("router", "routers", "dependencies", "access", "token_transport", "idempotency")
QUERY_WORDS = {"select", "insert", "update", "delete", "text", "func"}
MAY_SAY_SQL = ("repository", "models", "drivers")


def feature_files() -> list[Path]:
    return [path for feature in FEATURES for path in sorted((PACKAGE / feature).glob("**/*.py"))]


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Pairs of module and imported name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def test_the_features_are_found() -> None:
    assert len(feature_files()) > 20


@pytest.mark.parametrize("path", feature_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_edge_of_a_feature_knows_http(path: Path) -> None:
    if path.stem.endswith(MAY_KNOW_HTTP):
        return
    known = {module for module, _ in imports(path) if module.split(".")[0] in HTTP}
    assert not known, f"{path.name} imports {known}; only {MAY_KNOW_HTTP} may"


def test_every_folder_belongs_to_a_layer() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - set(FEATURES) == {"app", "celery", "core"}
    assert set(FEATURES) >= {"auth", "health", "tasks", "llm", "mail", "maintenance"}


@pytest.mark.parametrize("path", feature_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_feature_imports_the_application(path: Path) -> None:
    places = (module.split(".") for module, _ in imports(path))
    assert not {place[1] for place in places if place[0] == "inference_core" and len(place) > 1} & ABOVE


@pytest.mark.parametrize("path", feature_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_repositories_write_queries(path: Path) -> None:
    if path.stem.endswith(MAY_SAY_SQL):
        return
    words = {name for module, name in imports(path) if module.startswith("sqlalchemy") and name in QUERY_WORDS}
    assert not words, f"{path.name} imports {words} from SQLAlchemy; only {MAY_SAY_SQL} may"
