"""A feature of a service, and a service as a list of features.

Both are data. A feature names its code by references (module and attribute) such as `"shop.notes.router:routers"`. They
are imported where they are used: an API process imports no tasks, a worker no routes, and `--help` neither.
"""

from __future__ import annotations

import importlib
import inspect
import re
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import Any

from inference_core.core.exceptions import OperatorError

DEFAULT_QUEUE = "default"
# A revision is named `<feature>_<number>`, and Alembic's table has 32 characters for it.
FEATURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")
SERVICE_NAME = re.compile(r"[a-z][a-z0-9-]{0,49}")
QUEUE_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
# The database has 50 characters for the name of a permission.
PERMISSION_NAME = re.compile(r"[a-z][a-z0-9_-]{0,23}:[a-z][a-z0-9_-]{0,23}")


# What the reference in a field must be, where it is not a function.
KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "settings": (inspect.isclass, "a class"),
    "routers": (lambda found: callable(found) or hasattr(found, "routes"), "a router or a function"),
    "hot_routers": (lambda found: callable(found) or hasattr(found, "routes"), "a router or a function"),
    "models": (inspect.ismodule, "a module"),
    "migrations": (lambda found: hasattr(found, "__path__"), "a package"),
    "tasks": (inspect.ismodule, "a module"),
    "errors": (lambda found: isinstance(found, Mapping), "a mapping"),
    "commands": (lambda found: hasattr(found, "registered_commands"), "a typer.Typer"),
    "load_users": (inspect.ismodule, "a module"),
}


class FeatureError(OperatorError):
    """Raised if a feature or a service is not defined correctly. The text states where and why."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of its own for the tasks whose names start with `prefix`.

    It is used if `CELERY_DEDICATED_QUEUES` is on; otherwise, all tasks share the default queue.
    """

    name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Periodic:
    """A task that `celery beat` sends every `every_s` seconds: a number, or the name of a setting that holds it.

    Its result is not stored.
    """

    name: str
    task: str
    every_s: float | str


@dataclass(frozen=True, slots=True)
class HealthPart:
    """A part of `GET /health/`. `check` refers to a function of the application's state that returns a `Component`.

    A plain function is called for each request, so it must not wait for anything. A coroutine function is called in the
    background, and requests get its latest result.
    """

    name: str
    check: str


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission that routes can require, named `area:action`. `description` is one sentence for administrators."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A group of routes in the API documentation, by the name in `APIRouter(tags=...)`, with a sentence."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Everything that the rest of a service needs to know about one feature. Every field except the name is optional.

    Attributes:
        name: Also the first part of the names of its revisions.
        requires: The features that it uses. They are started before it.
        settings: A subclass of `Settings` with the fields of this feature.
        routers: A router with complete paths, or a function of the service and the settings that returns routers.
        tags: The groups of its routes in the API documentation.
        hot_routers: The same for frequently called routes. They are matched first, and each request costs about 10 us
            less, because they are not included as a router.
        models: The module with its tables.
        migrations: The package with its revision scripts.
        tasks: The modules with its Celery tasks. Only workers import them.
        queues: The queues of its tasks.
        schedule: The tasks that are sent periodically.
        lifespan: A function of the application's state that returns an async context manager. What it yields is found
            by its type: `state.of(NotesState)`.
        health: Its parts of the health report.
        permissions: The permissions that its routes require. Roles grant them to users.
        errors: A mapping from exceptions of libraries to subclasses of `ServiceError`, to which they are converted.
        metrics: A class that is created with the application's `Metrics`, and found with `metrics.feature(...)`.
        check: A function of the settings that raises `SettingsError` before a process starts.
        worker: A function of the Celery application, which is called when a worker starts.
        purge: A coroutine function of the settings that deletes expired data and returns the number of deleted rows.
        commands: A `typer.Typer` with additional commands of `inference-core`.
        announce: A function of the settings and the base URL that returns what `inference-core up` prints, by name.
        load_users: The module with its load-test users, as the suite imports it: `users.notes`. See `load_users.py`.
        earlier_revisions: Renamed revisions: the old name, and the revisions that replace it.
    """

    name: str
    requires: tuple[str, ...] = ()
    settings: str = ""
    routers: str = ""
    tags: tuple[Tag, ...] = ()
    hot_routers: str = ""
    models: str = ""
    migrations: str = ""
    tasks: tuple[str, ...] = ()
    queues: tuple[Queue, ...] = ()
    schedule: tuple[Periodic, ...] = ()
    lifespan: str = ""
    health: tuple[HealthPart, ...] = ()
    permissions: tuple[Permission, ...] = ()
    errors: str = ""
    metrics: str = ""
    check: str = ""
    worker: str = ""
    purge: str = ""
    commands: str = ""
    announce: str = ""
    load_users: str = ""
    earlier_revisions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the name and the types of the fields.

        Raises:
            FeatureError: The name is invalid, or a field has a wrong type, such as text instead of a tuple.
        """
        if not isinstance(self.name, str) or not FEATURE_NAME.fullmatch(self.name):
            raise FeatureError(
                f"feature {self.name!r}: the name must consist of at most 24 lower-case letters, digits and '_', and "
                "start with a letter"
            )
        for one in fields(self):
            kind = tuple if str(one.type).startswith("tuple") else Mapping if one.name == "earlier_revisions" else str
            if not isinstance(getattr(self, one.name), kind):
                raise FeatureError(f"feature {self.name}: {one.name} must be a {kind.__name__.lower()}")

    def load(self, name: str) -> Any:
        """Import what the field `name` refers to. None if the field is empty.

        Raises:
            FeatureError: There is no such module or attribute, or it is of another kind than the field needs.
        """
        reference: str = getattr(self, name)
        return self._load(reference, name) if reference else None

    def load_tasks(self) -> None:
        """Import the modules with the tasks.

        Raises:
            FeatureError: There is no such module.
        """
        for reference in self.tasks:
            self._load(reference, "tasks")

    def load_check(self, part: HealthPart) -> Callable[..., Any]:
        """Import the check of a health part.

        Raises:
            FeatureError: There is no such module or attribute, or it is not a function.
        """
        check: Callable[..., Any] = self._load(part.check, "health")
        return check

    def _load(self, reference: str, name: str) -> Any:
        where = f"feature {self.name}: {name}"
        loaded = load_reference(reference, where)
        is_right, kind = KINDS.get(name, (callable, "a function"))
        if not is_right(loaded):
            raise FeatureError(f"{where}: {reference} is not {kind}")
        return loaded


@dataclass(frozen=True, eq=False)
class Service:
    """A service: its name, its features in the order of their routes, and the base class of its settings.

    Raises:
        FeatureError: A name is invalid or used twice, or a required feature is missing.
    """

    name: str
    features: tuple[Feature, ...]
    title: str = ""
    description: str = ""
    settings: str = "inference_core.core.settings:Settings"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not SERVICE_NAME.fullmatch(self.name):
            raise FeatureError(
                f"service {self.name!r}: the name must consist of lower-case letters, digits and '-', and start with a "
                "letter"
            )
        for feature in self.features:
            if not isinstance(feature, Feature):
                raise FeatureError(f"service {self.name}: {feature!r} in the features is not a Feature")
        self._require_unique("feature", [feature.name for feature in self.features])
        queues = [queue for feature in self.features for queue in feature.queues]
        for queue in queues:
            if not QUEUE_NAME.fullmatch(queue.name):
                raise FeatureError(f"queue {queue.name!r}: the name must consist of lower-case letters, digits and '_'")
        for permission in self.permissions:
            if not PERMISSION_NAME.fullmatch(permission.name):
                raise FeatureError(
                    f"permission {permission.name!r}: the name must be area:action, each of at most 24 lower-case "
                    "letters, digits, '_' and '-', and start with a letter"
                )
        self._require_unique("permission", [permission.name for permission in self.permissions])
        self._require_unique("queue", [DEFAULT_QUEUE, *(queue.name for queue in queues)])
        self._require_separate_prefixes(queues)
        self._require_unique("schedule", [entry.name for feature in self.features for entry in feature.schedule])
        self._require_unique("health part", [part.name for feature in self.features for part in feature.health])
        known = {feature.name for feature in self.features}
        for feature in self.features:
            if missing := sorted(set(feature.requires) - known):
                raise FeatureError(
                    f"service {self.name}: the feature {feature.name} requires {', '.join(missing)}; "
                    "add it to the features, or remove both"
                )
        _ = self.start_order

    @cached_property
    def start_order(self) -> tuple[Feature, ...]:
        """The features, each after those that it requires, otherwise in their order."""
        sorter = TopologicalSorter({feature.name: feature.requires for feature in self.features})
        try:
            sorter.prepare()
        except CycleError as error:
            raise FeatureError(
                f"service {self.name}: features require each other: {', '.join(error.args[1])}"
            ) from None
        place = {feature.name: number for number, feature in enumerate(self.features)}
        ordered: list[Feature] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=place.__getitem__)
            ordered += [self.features[place[name]] for name in ready]
            sorter.done(*ready)
        return tuple(ordered)

    def dependents_of(self, name: str) -> frozenset[str]:
        """Return the names of the features that require the feature `name`, also indirectly."""
        found = {name}
        for feature in self.start_order:
            if found.intersection(feature.requires):
                found.add(feature.name)
        return frozenset(found - {name})

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of all queues, the default queue first."""
        return (DEFAULT_QUEUE, *(queue.name for feature in self.features for queue in feature.queues))

    @cached_property
    def permissions(self) -> tuple[Permission, ...]:
        """The permissions that the features declare, in the order of the features."""
        return tuple(permission for feature in self.features for permission in feature.permissions)

    @cached_property
    def permission_names(self) -> frozenset[str]:
        """The names of the permissions."""
        return frozenset(permission.name for permission in self.permissions)

    def load_each(self, name: str) -> list[tuple[Feature, Any]]:
        """Import what the field `name` of each feature refers to, if it is given, in the order of the features."""
        return [(feature, feature.load(name)) for feature in self.features if getattr(feature, name)]

    def _require_separate_prefixes(self, queues: list[Queue]) -> None:
        for queue in queues:
            for other in queues:
                if other is not queue and other.prefix.startswith(queue.prefix):
                    raise FeatureError(
                        f"service {self.name}: tasks {other.prefix}* belong to the queues {queue.name} and {other.name}"
                    )

    def _require_unique(self, kind: str, names: list[str]) -> None:
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise FeatureError(f"service {self.name}: the {kind} {twice[0]} is defined twice")


def load_features(*packages: str) -> tuple[Feature, ...]:
    """Return the features of packages: the `feature` in the module `feature` of each.

    Raises:
        FeatureError: There is no such package, module or attribute, or it is not a `Feature`.
    """
    features = []
    for package in packages:
        reference = f"{package}.feature:feature"
        found = load_reference(reference, f"features: {package!r}")
        if not isinstance(found, Feature):
            raise FeatureError(f"features: {package!r}: {reference} is not a Feature")
        features.append(found)
    return tuple(features)


def load_reference(reference: str, used_by: str) -> Any:
    """Import `module` or `module:attribute`. `used_by` starts the text of errors.

    Raises:
        FeatureError: There is no such module or attribute, or the module raises an exception.
    """
    name, _, attribute = reference.partition(":")
    if not all(part.isidentifier() for part in name.split(".")):
        raise FeatureError(f'{used_by}: {reference!r} is not of the form "package.module:attribute"')
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise FeatureError(f"{used_by}: {_failed_import(name, error)}") from error
        raise FeatureError(f"{used_by}: there is no module {error.name}") from None
    except OperatorError:
        raise
    except Exception as error:
        raise FeatureError(f"{used_by}: {_failed_import(name, error)}") from error
    if not attribute:
        return module
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise FeatureError(f"{used_by}: {name} has no {attribute}") from None


def _failed_import(name: str, error: Exception) -> str:
    """Return which module failed, where and why, in one line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    # The innermost statement of a module, not a line of a library that it calls.
    place = next((frame for frame in reversed(frames) if frame.name == "<module>"), frames[-1])
    reason = " ".join(str(error).split())
    return f"{name} cannot be imported: {type(error).__name__}: {reason} ({place.filename}, line {place.lineno})"


def folder_of(package: ModuleType) -> Path:
    """Return the folder of an imported package."""
    return Path(next(iter(package.__path__)))
