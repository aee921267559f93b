"""A feature or a service that is not defined correctly is one clear line, wherever it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter
from prometheus_client import Counter

from inference_core.app.application import create_application
from inference_core.app.cli import command_line
from inference_core.app.worker_app import worker_app
from inference_core.core.commands import new_commands
from inference_core.core.db.base import Base
from inference_core.core.exceptions import ConflictError, NotFoundError
from inference_core.core.feature import (
    Feature,
    FeatureError,
    HealthPart,
    Periodic,
    Queue,
    Service,
    load_features,
)
from inference_core.core.load_users import feature_loads
from inference_core.core.queue.config import celery_config
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import Settings
from inference_core.health.feature import feature as health

HERE = "one_module_of_tests"


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module to which features refer."""
    made = ModuleType(HERE)
    monkeypatch.setitem(sys.modules, HERE, made)
    return made


def service_of(*features: Feature) -> Service:
    return Service(name="test", features=features)


def line_of(action: Callable[[], object]) -> str:
    """Return the single line with which an action refuses a definition."""
    with pytest.raises(FeatureError) as raised:
        action()
    (line,) = str(raised.value).splitlines()
    return line


def start(feature: Feature, *others: Feature) -> Callable[[], object]:
    """Return the start of an API with a feature."""
    return lambda: create_application(service_of(*others, feature), Settings(_env_file=None))


# What uses a field, and what the field must be.
USES: dict[str, tuple[Callable[[Service], object], str]] = {
    "settings": (settings_class, "a class"),
    "routers": (lambda service: create_application(service, Settings(_env_file=None)), "a router or a function"),
    "hot_routers": (lambda service: create_application(service, Settings(_env_file=None)), "a router or a function"),
    "models": (lambda service: service.load_each("models"), "a module"),
    "migrations": (lambda service: service.load_each("migrations"), "a package"),
    "errors": (lambda service: create_application(service, Settings(_env_file=None)), "a mapping"),
    "metrics": (lambda service: create_application(service, Settings(_env_file=None)), "a function"),
    "check": (lambda service: create_application(service, Settings(_env_file=None)), "a function"),
    "lifespan": (lambda service: service.load_each("lifespan"), "a function"),
    "worker": (lambda service: service.load_each("worker"), "a function"),
    "purge": (lambda service: service.load_each("purge"), "a function"),
    "announce": (lambda service: service.load_each("announce"), "a function"),
    "commands": (command_line, "a typer.Typer"),
    "load_users": (feature_loads, "a module"),
}


@pytest.mark.parametrize("field", USES)
@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("no_such_package.module:thing", "there is no module no_such_package"),
        (f"{HERE}:thing", f"{HERE} has no thing"),
        (f"{HERE}.inner:thing", f"there is no module {HERE}.inner"),
        ("not a name:thing", "'not a name:thing' is not of the form \"package.module:attribute\""),
        (f"{HERE}:number", f"{HERE}:number is not {{kind}}"),
    ],
)
def test_a_wrong_reference_names_feature_and_field(
    module: ModuleType, field: str, reference: str, expected: str
) -> None:
    vars(module)["number"] = 7
    use, kind = USES[field]
    values: dict[str, Any] = {field: reference}
    line = line_of(lambda: use(service_of(Feature(name="crates", **values))))
    assert line == f"feature crates: {field}: {expected.format(kind=kind)}"


def test_a_wrong_module_of_tasks_stops_the_worker(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for reference, expected in (
        ("no_such_package", "there is no module no_such_package"),
        (f"{HERE}:number", f"{HERE}:number is not a module"),
    ):
        vars(module)["number"] = 7
        feature = Feature(name="crates", tasks=(reference,))
        assert line_of(feature.load_tasks) == f"feature crates: tasks: {expected}"
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    service = service_of(Feature(name="crates", check="no_such_package:check"))
    assert line_of(lambda: worker_app(service)) == "feature crates: check: there is no module no_such_package"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (HealthPart("crates", f"{HERE}:check"), f"feature crates: health: {HERE} has no check"),
        (HealthPart("crates", f"{HERE}:number"), f"feature crates: health: {HERE}:number is not a function"),
    ],
)
def test_a_wrong_check_of_a_health_part(module: ModuleType, part: HealthPart, expected: str) -> None:
    vars(module)["number"] = 7
    assert line_of(lambda: Feature(name="crates", health=(part,)).load_check(part)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("\nimport no_such_package", "ModuleNotFoundError: No module named 'no_such_package' ({path}, line 2)"),
        ("from json import lods", "ImportError: cannot import name 'lods' from 'json' ({json}) ({path}, line 1)"),
        ("import json\njson.loads('')", "JSONDecodeError: Expecting value: line 1 column 1 (char 0) ({path}, line 2)"),
        ("raise ValueError('one\\n two')", "ValueError: one two ({path}, line 1)"),
    ],
)
def test_an_exception_of_a_module_is_one_line_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, expected: str
) -> None:
    path = tmp_path / "one_broken_module.py"
    path.write_text(f"{source}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert line_of(lambda: Feature(name="crates", models="one_broken_module").load("models")) == (
        "feature crates: models: one_broken_module cannot be imported: "
        + expected.format(path=path, json=sys.modules["json"].__file__)
    )


def test_a_syntax_error_of_a_module_is_one_line_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one_unfinished_module.py"
    path.write_text("\nsize = (\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert line_of(lambda: Feature(name="crates", models="one_unfinished_module").load("models")) == (
        f"feature crates: models: {path}, line 2: '(' was never closed"
    )


@pytest.mark.parametrize("name", ["", "Crates", "1crates", "cra-tes", "crätes", "c" * 25, 7, None])
def test_a_wrong_name_of_a_feature(name: Any) -> None:
    assert line_of(lambda: Feature(name=name)).startswith(f"feature {name!r}: the name must consist of at most 24")


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("tasks", "depot.tasks", "tuple"),
        ("requires", "accounts", "tuple"),
        ("queues", [Queue("a", "a.")], "tuple"),
        ("health", None, "tuple"),
        ("routers", ("a:b",), "str"),
        ("earlier_revisions", (), "mapping"),
    ],
)
def test_a_field_of_a_wrong_type(field: str, value: object, kind: str) -> None:
    values: dict[str, Any] = {field: value}
    assert line_of(lambda: Feature(name="crates", **values)) == f"feature crates: {field} must be a {kind}"


ONE, TWO = Feature(name="one"), Feature(name="two")


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([ONE, ONE], "service test: the feature one is defined twice"),
        (["inference_core.llm"], "service test: 'inference_core.llm' in the features is not a Feature"),
        (
            [Feature(name="one", queues=(Queue("a", "a."),)), Feature(name="two", queues=(Queue("a", "b."),))],
            "service test: the queue a is defined twice",
        ),
        ([Feature(name="one", queues=(Queue("default", "a."),))], "service test: the queue default is defined twice"),
        (
            [Feature(name="one", queues=(Queue("a", "x."),)), Feature(name="two", queues=(Queue("b", "x.y."),))],
            "service test: tasks x.y.* belong to the queues a and b",
        ),
        (
            [Feature(name="one", queues=(Queue("A b", "a."),))],
            "queue 'A b': the name must consist of lower-case letters, digits and '_'",
        ),
        (
            [Feature(name=name, schedule=(Periodic("tick", "a", 1),)) for name in ("one", "two")],
            "service test: the schedule tick is defined twice",
        ),
        (
            [Feature(name=name, health=(HealthPart("crane", "a:b"),)) for name in ("one", "two")],
            "service test: the health part crane is defined twice",
        ),
        (
            [Feature(name="one", requires=("accounts", "two")), TWO],
            "service test: the feature one requires accounts; add it to the features, or remove both",
        ),
        ([Feature(name="one", requires=("one",))], "service test: features require each other: one, one"),
    ],
)
def test_features_that_do_not_fit_together(features: list[Any], expected: str) -> None:
    assert line_of(lambda: service_of(*features)) == expected


def test_features_that_require_each_other() -> None:
    circle = [
        Feature(name="a", requires=("b",)),
        Feature(name="b", requires=("c",)),
        Feature(name="c", requires=("a",)),
    ]
    line = line_of(lambda: service_of(*circle))
    assert line.startswith("service test: features require each other: ")
    assert set(line.rpartition(": ")[2].split(", ")) == {"a", "b", "c"}


def test_a_required_feature_starts_first_whatever_the_order_of_the_routes() -> None:
    service = service_of(
        Feature(name="last", requires=("middle",)),
        Feature(name="middle", requires=("first",)),
        ONE,
        Feature(name="first"),
    )
    assert [feature.name for feature in service.start_order] == ["one", "first", "middle", "last"]


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "my shop", "my_shop", 3])
def test_a_wrong_name_of_a_service(name: Any) -> None:
    line = line_of(lambda: Service(name=name, features=()))
    assert line.startswith(f"service {name!r}: the name must consist of lower-case letters, digits and '-'")


def test_a_wrong_entry_of_the_list_of_features(module: ModuleType) -> None:
    assert line_of(lambda: load_features("no_such_package")) == (
        "features: 'no_such_package': there is no module no_such_package"
    )
    assert line_of(lambda: load_features("inference_core.core.db")) == (
        "features: 'inference_core.core.db': there is no module inference_core.core.db.feature"
    )
    assert line_of(lambda: load_features("")) == (
        "features: '': '.feature:feature' is not of the form \"package.module:attribute\""
    )


def test_a_schedule_with_an_unknown_setting() -> None:
    service = service_of(Feature(name="one", schedule=(Periodic("tick", "a", "no_such_setting"),)))
    line = line_of(lambda: celery_config(service, Settings(_env_file=None), is_worker=True))
    assert line == "schedule tick: every_s: there is no setting no_such_setting"


class OneSettings(Settings):
    crates_color: str = "red"


class TwoSettings(Settings):
    crates_color: str = "blue"


class CoreSettings(Settings):
    debug: bool = True


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([OneSettings, TwoSettings], "feature f1: settings: crates_color is already defined by the feature f0"),
        ([CoreSettings], "feature f0: settings: debug is already defined by every service"),
        ([ConflictError], "feature f0: settings: ConflictError is not a subclass of Settings"),
    ],
)
def test_settings_that_clash(module: ModuleType, classes: list[type], expected: str) -> None:
    features = []
    for number, section in enumerate(classes):
        vars(module)[f"s{number}"] = section
        features.append(Feature(name=f"f{number}", settings=f"{HERE}:s{number}"))
    assert line_of(lambda: settings_class(service_of(*features))) == expected


def test_wrong_base_settings(module: ModuleType) -> None:
    vars(module)["base"] = ConflictError
    service = Service(name="test", features=(), settings=f"{HERE}:base")
    assert line_of(lambda: settings_class(service)) == (
        f"service test: settings: {HERE}:base is not a subclass of Settings"
    )


def router_with(path: str) -> APIRouter:
    router = APIRouter()
    router.add_api_route(path, lambda: None, methods=["GET"])
    return router


def test_routes_that_clash(module: ModuleType) -> None:
    inner = APIRouter(prefix="/api")
    inner.include_router(router_with("/crates/{crate_id}"))
    vars(module).update(one=router_with("/api/crates/{label}"), two=lambda *_: [inner], three=lambda *_: ["no router"])
    one, two = Feature(name="one", hot_routers=f"{HERE}:one"), Feature(name="two", routers=f"{HERE}:two")
    assert line_of(start(two, one)) == "feature two: the feature one already has GET /api/crates/{crate_id}"
    assert create_application(service_of(two), Settings(_env_file=None)).title == "Service"
    three = Feature(name="three", routers=f"{HERE}:three")
    assert line_of(start(three)) == "feature three: routers: 'no router' is not a router"


def test_metrics_that_clash(module: ModuleType) -> None:
    vars(module)["made"] = lambda metrics: Counter("http_request_duration_seconds", "Again.", registry=metrics.registry)
    line = line_of(start(Feature(name="crates", metrics=f"{HERE}:made")))
    assert line.startswith("feature crates: metrics: Duplicated timeseries")


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({KeyError: ValueError}, "feature two: errors: <class 'ValueError'> is not a subclass of ServiceError"),
        ({"KeyError": NotFoundError}, "feature two: errors: 'KeyError' is not a subclass of Exception"),
        ({LookupError: NotFoundError}, "feature two: errors: another feature already converts LookupError"),
    ],
)
def test_errors_that_clash(module: ModuleType, errors: dict[Any, Any], expected: str) -> None:
    vars(module).update(one={LookupError: ConflictError}, two=errors)
    one, two = (Feature(name=name, errors=f"{HERE}:{name}") for name in ("one", "two"))
    assert line_of(start(two, one)) == expected


def test_commands_that_clash(module: ModuleType) -> None:
    group, command = new_commands(), new_commands()
    group.add_typer(new_commands(), name="generate")
    command.command(name="migrate")(lambda: None)
    vars(module).update(group=group, command=command)
    for name, taken in (("group", "generate"), ("command", "migrate")):
        service = service_of(Feature(name="crates", commands=f"{HERE}:{name}"))
        assert line_of(lambda: command_line(service)) == (  # noqa: B023  # called at once
            f"feature crates: commands: there is already a command {taken}"
        )


@pytest.mark.parametrize("name", ["database", "redis", "application", "not-a-name", "Crane"])
def test_health_parts_that_every_service_has_or_that_are_no_name(name: str) -> None:
    line = line_of(start(Feature(name="crates", health=(HealthPart(name, "a:b"),)), health))
    assert line == f"health part {name!r}: the name is not valid, or every service has this part"


def test_a_table_that_another_model_has() -> None:
    def define() -> None:
        class User(Base):
            __tablename__ = "users"

    import inference_core.auth.models

    assert line_of(define) == (
        f"models: {__name__}.User: {inference_core.auth.models.__name__}.User already has the table users"
    )
    assert len([mapper for mapper in Base.registry.mappers if mapper.class_.__name__ == "User"]) == 1


def test_two_states_of_one_type(tmp_path: Path) -> None:
    from inference_core.core.state import AppState

    state = AppState(service_of(), Settings(_env_file=None), *([None] * 5))  # type: ignore[arg-type]
    state.add(tmp_path)
    assert (
        line_of(lambda: state.add(tmp_path))
        == f"two features of test have a state of the type {type(tmp_path).__name__}"
    )
