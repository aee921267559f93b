"""The rules of the house that a linter does not know: HTTP at the edge, SQL in repositories, one Redis client."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import grimp
import pytest
from fastapi import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from inference_core.app.application import create_application
from tests.support.settings import Settings
from tests.support.stack import ROOT

PACKAGE = ROOT / "inference_core"
FEATURES = tuple(sorted(path.parent.name for path in PACKAGE.glob("*/feature.py") if path.parent.name != "core"))
# The layers above the features, which no feature imports. Those of the built-in features are in pyproject.toml.
ABOVE = {"app", "celery", "entry", "main", "service", "testing"}
HTTP = {"fastapi", "starlette"}
MAY_KNOW_HTTP = (
    *("router", "routers", "dependencies", "access", "permissions", "rate_limit", "transport", "idempotency"),
)
QUERY_WORDS = {"select", "insert", "update", "delete", "text", "func"}
REDIS_CALLS = {"Redis", "ConnectionPool", "BlockingConnectionPool", "from_url", "eval", "evalsha", "register_script"}
MAY_SAY_SQL = ("repository", "models", "drivers")


def feature_files() -> list[Path]:
    return [path for feature in FEATURES for path in sorted((PACKAGE / feature).glob("**/*.py"))]


PACKAGE_FILES = sorted(PACKAGE.glob("**/*.py"))


def assert_clean(rule: Callable[[Path], set[str]], advice: str) -> None:
    found = {str(path.relative_to(PACKAGE)): names for path in PACKAGE_FILES if (names := rule(path))}
    assert not found, advice


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def all_routes() -> list[APIRoute]:
    """The routes of every feature, including those that exist in development only."""
    return list(routes_of(create_application(settings=Settings(_env_file=None, environment="development")).routes))


def routes_of(routes: Iterable[object]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from routes_of(included.routes)


def returned(annotation: Any) -> Iterator[Any]:
    """Yield the types of a return annotation, inside of unions and lists."""
    if get_origin(annotation) in (Union, UnionType, list):
        for argument in get_args(annotation):
            yield from returned(argument)
    elif annotation is not None:
        yield annotation


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Pairs of module and imported name."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def test_no_modules_import_each_other() -> None:
    graph = grimp.build_graph("inference_core")
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imported).prepare()  # raises CycleError


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


def test_only_repositories_write_queries() -> None:
    def words(path: Path) -> set[str]:
        if (
            path.stem.endswith(MAY_SAY_SQL)
            or path.parent.name == "migrations"
            or path.is_relative_to(PACKAGE / "core/db")
        ):
            return set()
        return {name for module, name in imports(path) if module.startswith("sqlalchemy") and name in QUERY_WORDS}

    assert_clean(words, f"only {MAY_SAY_SQL} import query functions of SQLAlchemy")


def test_only_core_redis_creates_clients_and_scripts() -> None:
    def calls(path: Path) -> set[str]:
        if path.is_relative_to(PACKAGE / "core/redis"):
            return set()
        called = {ast.unparse(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
        return {name for name in called if name.split(".")[-1] in REDIS_CALLS}

    assert_clean(calls, "use core/redis/client.py and core/redis/scripts.py")


def test_lua_scripts_are_files() -> None:
    def scripts(path: Path) -> set[str]:
        texts = (node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant))
        return {text for text in texts if isinstance(text, str) and "redis.call(" in text}

    assert_clean(scripts, "put the script into the folder lua of its package")


def test_routers_do_not_import_repositories() -> None:
    def repositories(path: Path) -> set[str]:
        if not path.stem.endswith(("router", "routers")):
            return set()
        return {name for module, name in imports(path) if "repository" in module or "Repository" in name}

    assert_clean(repositories, "a router calls services")


def test_the_routes_are_found() -> None:
    documented = create_application(settings=Settings(_env_file=None)).openapi()["paths"]
    assert len(all_routes()) >= sum(len(operations) for operations in documented.values())


@pytest.mark.parametrize("route", all_routes(), ids=lambda route: f"{min(route.methods or {''})} {route.path}")
def test_every_route_returns_a_model_or_a_response(route: APIRoute) -> None:
    declared = route.response_model or get_type_hints(route.endpoint).get("return")
    kinds = list(returned(declared))
    assert kinds, f"{route.endpoint.__qualname__} has no return type"
    wrong = [kind for kind in kinds if not (isinstance(kind, type) and issubclass(kind, BaseModel | Response))]
    assert not wrong, f"{route.endpoint.__qualname__} returns {wrong}; return a Pydantic model"
