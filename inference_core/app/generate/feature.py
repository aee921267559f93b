"""Generate a feature: a copy of the reference under another name, and its line in the service file."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from inference_core.app.generate.errors import GenerateError
from inference_core.app.generate.files import REFERENCE_FOLDER, Staging
from inference_core.app.generate.names import Names, feature_names
from inference_core.app.generate.rename import renamed
from inference_core.app.generate.service_file import with_feature
from inference_core.app.routes import routes_of
from inference_core.core.current_service import current_service_file
from inference_core.core.db.base import Base
from inference_core.core.feature import Feature, Queue, Service
from inference_core.core.paths import API_PREFIX
from inference_core.core.service_settings import settings_class

# Modules of the suite and of every project, which a package of this name would hide.
RESERVED = {"config", "reports", "scripts", "tests", "users"}
# The features that the reference uses.
REQUIRED = ("accounts", "tasks")
REFERENCE = REFERENCE_FOLDER / "shop" / "notes"


@dataclass(frozen=True, slots=True)
class Project:
    """Where the parts of a feature belong.

    Attributes:
        root: The folder with `pyproject.toml`.
        service_file: The file with the list of features.
        package: The package of the service file.
        tests: The folder of the tests of features.
        users: The folder of the load-test users.
    """

    root: Path
    service_file: Path
    package: str
    tests: Path
    users: Path

    def shown(self, path: Path) -> str:
        """Return a path relative to the project."""
        return str(path.relative_to(self.root))


def generate_feature(name: str, singular: str | None, service_file: Path | None = None) -> list[str]:
    """Write the feature and add it to a service. Return what was done, in lines.

    The default service is the current one, if the working directory belongs to its project.

    Raises:
        GenerateError, FeatureError: It cannot be generated. Nothing has been written.
    """
    names = feature_names(name, singular)
    project = find_project(service_file or current_service_file())
    if service_file is None and not Path.cwd().is_relative_to(project.root):
        raise GenerateError(
            f"the current service is in {project.root}; run the command there, name the service file with "
            "--service-file, or start a service with: inference-core new PATH"
        )
    targets = {
        REFERENCE: project.service_file.parent / name,
        REFERENCE_FOLDER / "tests" / "notes": project.tests / name,
        REFERENCE_FOLDER / "tests" / "performance" / "users" / "notes.py": project.users / f"{name}.py",
    }
    for target in targets.values():
        if target.exists() or target.is_symlink():
            raise GenerateError(f"feature {name!r}: {project.shown(target)} already exists; choose another name")
    package = f"{project.package}.{name}"
    source = project.service_file.read_bytes()
    edited = with_feature(source, package, project.shown(project.service_file))
    _require_free(names, load_service(project))
    with Staging() as staging:
        for reference, target in targets.items():
            staging.copy(reference, target, lambda text: renamed(text, names, project.package))
        is_formatted = staging.put()
        staging.commit(project.service_file, edited)
    return [
        *(f"wrote {project.shown(target)}" for target in targets.values()),
        f'added "{package}" to {project.shown(project.service_file)}',
        *([] if is_formatted else ["ruff is not installed; format the new files with: make format"]),
        f"next: make test && make perf PROFILE={name}",
    ]


def find_project(service_file: Path) -> Project:
    """Return where the parts of a feature belong.

    Raises:
        GenerateError: The file or a folder is missing.
    """
    if not service_file.is_file():
        raise GenerateError(f"{service_file}: there is no such file; name the service file with --service-file")
    service_file = service_file.resolve()
    top = service_file.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    if top == service_file.parent:
        raise GenerateError(f"{service_file}: it must be in a package, a folder with __init__.py")
    root = next((folder for folder in (top, *top.parents) if (folder / "pyproject.toml").is_file()), None)
    if root is None:
        raise GenerateError(
            f"{service_file}: there is no pyproject.toml above it; start a service with: inference-core new PATH"
        )
    tests = root / "tests"
    project = Project(
        root=root,
        service_file=service_file,
        package=".".join(service_file.parent.relative_to(top).parts),
        tests=tests / "service" if (tests / "service").is_dir() else tests,
        users=_suite_of(root) / "users",
    )
    for needed in (project.tests, project.users / "account.py"):
        if not needed.exists():
            raise GenerateError(f"{needed}: it is missing; the tests and the load user of a feature need it")
    return project


def _suite_of(root: Path) -> Path:
    path = root / "pyproject.toml"
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except ValueError as error:
        raise GenerateError(f"{path}: it is not valid: {error}") from None
    return (root / str(tool.get("loadgate", {}).get("locustfile", "tests/performance/locustfile.py"))).parent


def load_service(project: Project) -> Service:
    """Return the service of a project.

    Raises:
        GenerateError, FeatureError: Its file defines none, or it is not valid.
    """
    top = project.service_file.parents[project.package.count(".") + 1]
    if str(top) not in sys.path:
        sys.path.insert(0, str(top))
    module = importlib.import_module(f"{project.package}.{project.service_file.stem}")
    found = [value for value in vars(module).values() if isinstance(value, Service)]
    if len(found) != 1:
        raise GenerateError(f"{project.service_file}: it must define exactly one Service")
    return found[0]


def _require_free(names: Names, service: Service) -> None:
    """Check that no feature, queue, setting, table, route or module has the name.

    Raises:
        GenerateError, FeatureError: Something has it.
    """
    name = names.plural
    new = Feature(name=name, requires=REQUIRED, queues=(Queue(name, f"{name}."),))
    Service(name=service.name, features=(*service.features, new))
    if name in RESERVED or importlib.util.find_spec(name) is not None:
        raise GenerateError(f"feature {name!r}: there is a module of this name; choose another name")
    service.load_each("models")
    if name in Base.metadata.tables:
        raise GenerateError(f"feature {name!r}: there is already a table of this name; choose another name")
    settings = settings_class(service)
    if f"{name}_per_user" in settings.model_fields:
        raise GenerateError(f"feature {name!r}: there is already a setting {name}_per_user; choose another name")
    path = f"{API_PREFIX}/{name.replace('_', '-')}"
    functions = _functions_of((REFERENCE / "router.py").read_text(encoding="utf-8"), names)
    for function, taken in routes_of(service, settings.model_construct()).items():
        if taken == path or taken.startswith(f"{path}/"):
            raise GenerateError(f"feature {name!r}: there is already a route {taken}; choose another name")
        if function in functions:
            raise GenerateError(
                f"feature {name!r}: the route {taken} already has the operation id {function}; choose another name"
            )


def _functions_of(router: str, names: Names) -> set[str]:
    """Return the names of the functions of a module of the reference, as they are generated."""
    nodes = ast.parse(renamed(router, names, "package")).body
    return {node.name for node in nodes if isinstance(node, ast.AsyncFunctionDef)}
