"""`inference-core generate feature`: new folders and one line, or one line of text and no file."""

from __future__ import annotations

import json
import shutil
import subprocess
from difflib import unified_diff
from pathlib import Path

import pytest

from inference_core.app.generate import feature, files
from inference_core.app.generate.errors import GenerateError
from tests.service.generate.conftest import Folder, content_of

pytestmark = pytest.mark.process
PARTS = {"shop/orders", "tests/orders", "tests/performance/users/orders.py"}


def test_it_adds_files_and_edits_one_line_of_one_file(shop: Folder) -> None:
    before = content_of(shop.path)
    said = shop.run("inference-core", "generate", "feature", "orders").splitlines()
    after = content_of(shop.path)
    assert [name for name in before if after.get(name) != before[name]] == ["shop/service.py"]
    edited = [str(text[name], "utf-8").splitlines() for text in (before, after) for name in ("shop/service.py",)]  # type: ignore[arg-type]
    changed = [line for line in unified_diff(*edited, n=0, lineterm="") if not line.startswith(("---", "+++", "@@"))]
    assert changed == ['+        "shop.orders",']
    for name in after.keys() - before.keys():
        assert any(name == part or name.startswith(f"{part}/") for part in PARTS), name
    assert said == [
        "wrote shop/orders",
        "wrote tests/orders",
        "wrote tests/performance/users/orders.py",
        'added "shop.orders" to shop/service.py',
        "next: make test && make perf PROFILE=orders",
    ]
    paths = json.loads(shop.run("inference-core", "openapi"))["paths"]
    assert {"/api/v1/notes", "/api/v1/orders", "/api/v1/orders/{order_id}"} < set(paths)


def test_two_features_follow_each_other_and_one_name_is_used_once(shop: Folder) -> None:
    shop.run("inference-core", "generate", "feature", "orders")
    shop.run("inference-core", "generate", "feature", "customers")
    assert shop.refused("generate", "feature", "orders") == (
        "feature 'orders': shop/orders already exists; choose another name"
    )
    service_file = (shop.path / "shop" / "service.py").read_text()
    assert '        "shop.notes",\n        "shop.orders",\n        "shop.customers",\n' in service_file
    assert {"# NOTES_PER_USER=1000", "# ORDERS_PER_USER=1000", "# CUSTOMERS_PER_USER=1000"} <= set(
        shop.run("inference-core", "settings").splitlines()
    )


@pytest.mark.full
def test_it_works_from_a_subfolder_and_in_a_dirty_repository(shop: Folder) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=shop.path, check=True)
    (shop.path / "shop" / "mine.py").write_text("unfinished = (\n")
    Folder(shop.path / "tests" / "notes").run("inference-core", "generate", "feature", "orders")
    assert (shop.path / "shop" / "orders" / "feature.py").is_file()
    assert (shop.path / "shop" / "mine.py").read_text() == "unfinished = (\n"


def test_it_takes_the_service_file_that_is_named(shop: Folder, folder: Folder) -> None:
    assert "the current service is in" in folder.refused("generate", "feature", "orders")
    folder.run("inference-core", "generate", "feature", "orders", "--service-file", "shop/shop/service.py")
    assert (shop.path / "tests" / "orders" / "test_orders.py").is_file()


REFUSED = [
    (["notes"], "feature 'notes': shop/notes already exists; choose another name"),
    (["tasks"], "service shop: the feature tasks is defined twice"),
    (["accounts"], "service shop: the feature accounts is defined twice"),
    (["default"], "service shop: the queue default is defined twice"),
    (["mail_"], "the feature 'mail_': the name must consist of"),
    (["class"], "the feature 'class': this is a keyword of Python; choose another name"),
    (["calendar"], "the feature 'calendar': Python has a module or function of this name; choose another name"),
    (["celery"], "feature 'celery': there is a module of this name; choose another name"),
    (["users"], "feature 'users': there is a module of this name; choose another name"),
    (["one_time_tokens"], "feature 'one_time_tokens': there is already a table of this name; choose another name"),
    (["admin"], "feature 'admin': there is already a route /api/v1/admin/"),
    (["roles"], "feature 'roles': "),
    (["sessions"], "feature 'sessions': the route /api/v1/auth/sessions already has the operation id list_sessions"),
    (["Orders"], "the feature 'Orders': the name must consist of"),
    (["bestellungen_ü"], "the feature 'bestellungen_ü': the name must consist of"),
    (["o" * 25], "at most 24 lower-case letters"),
    (["orders", "--singular", "Order"], "--singular 'Order': the name must consist of"),
    (["orders", "--service-file", "none.py"], "none.py: there is no such file; name the service file with"),
    (["orders", "--service-file", "scripts/setup.py"], "it must be in a package, a folder with __init__.py"),
    (["orders", "--service-file", "shop/notes/feature.py"], "it needs exactly one features=load_features("),
]
# Runs all of them in one process, because each start of the command takes a second.
RUN_ALL = """
import json, sys
from typer.testing import CliRunner
from inference_core.app.cli import app
results = [CliRunner().invoke(app, ["generate", "feature", *arguments]) for arguments in json.loads(sys.argv[1])]
print(json.dumps([(result.exit_code, result.stderr) for result in results]))
"""


def test_what_is_wrong_is_one_line_and_nothing_is_written(shop: Folder) -> None:
    before = content_of(shop.path)
    results = json.loads(shop.run("python", "-c", RUN_ALL, json.dumps([arguments for arguments, _ in REFUSED])))
    for (arguments, expected), (exit_code, said) in zip(REFUSED, results, strict=True):
        (line,) = said.splitlines()
        assert (exit_code, expected in line) == (1, True), (arguments, line)
    assert content_of(shop.path) == before


def test_a_service_without_the_features_that_it_uses_is_one_line(shop: Folder) -> None:
    service_file = shop.path / "shop" / "service.py"
    lines = service_file.read_text().splitlines(keepends=True)
    service_file.write_text("".join(line for line in lines if '_core.tasks"' not in line and "shop.notes" not in line))
    assert shop.refused("generate", "feature", "orders") == (
        "service shop: the feature orders requires tasks; add it to the features, or remove both"
    )


def test_a_missing_folder_of_the_suite_is_one_line(shop: Folder) -> None:
    shutil.rmtree(shop.path / "tests" / "performance")
    assert "users/account.py: it is missing" in shop.refused("generate", "feature", "orders")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GenerateError("ruff failed"), OSError(28, "No space left")])
@pytest.mark.parametrize("step", ["put", "commit"])
def test_an_error_midway_leaves_nothing(
    shop: Folder, monkeypatch: pytest.MonkeyPatch, error: BaseException, step: str
) -> None:
    before = content_of(shop.path)

    def fail(*_: object) -> str:
        raise error

    place = (files, "run_tool") if step == "put" else (files.shutil, "copymode")
    monkeypatch.setattr(*place, fail)
    monkeypatch.setattr(feature, "_require_free", lambda *_: None)  # it would import this service into the test process
    monkeypatch.setattr(feature, "load_service", lambda _: None)
    with pytest.raises(type(error)):
        feature.generate_feature("orders", None, Path(shop.path / "shop" / "service.py"))
    assert content_of(shop.path) == before
