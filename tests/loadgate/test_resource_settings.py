"""Test the settings of the target's resources in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgate.project import Project, ProjectError, load_project
from loadgate.resource_settings import MAX_RESOURCES, ProcessResource, PrometheusResource

API = '[[tool.loadgate.resource]]\nname = "api"\nkind = "process"\n'
POOL = '[[tool.loadgate.resource]]\nname = "pool"\nkind = "prometheus"\nquantity = "connections"\n'
DEEP = 1000 * "(" + 1000 * ")"


def loaded(folder: Path, text: str) -> Project:
    (folder / "pyproject.toml").write_text(text)
    return load_project(folder)


def test_entries_are_read(tmp_path: Path) -> None:
    text = API + 'command = "uvicorn"\n' + POOL + 'used = \'pool{state="used"}\'\nwait = "wait_seconds"\n'
    api, pool = loaded(tmp_path, text).resource
    assert isinstance(api, ProcessResource)
    assert isinstance(pool, PrometheusResource)
    assert api.command == "uvicorn"
    assert (pool.url, pool.unit, pool.quantities) == ("/metrics", "count", ("connections", "wait"))


def test_a_wait_alone_has_the_name_of_the_quantity(tmp_path: Path) -> None:
    (pool,) = loaded(tmp_path, POOL + 'wait = "wait_seconds"').resource
    assert pool.quantities == ("connections",)


def test_two_entries_can_share_a_name(tmp_path: Path) -> None:
    text = API + POOL.replace('"pool"', '"api"') + 'rate = "requests_total"'
    assert [entry.name for entry in loaded(tmp_path, text).resource] == ["api", "api"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (API + 'command = "["', "resource.0.command: '[' is not a regular expression"),
        (API + f'command = "{DEEP}"', "resource.0.command: the regular expression is nested too deeply"),
        (API + 'command = "a{9999999999}"', "the repetition number is too large"),
        (API + "cores = inf", "resource.0.cores: Input should be a finite number"),
        (POOL + f"used = 'a{{b=~\"{DEEP}\"}}'", "the regular expression is nested too deeply"),
        (POOL + 'wait = "a"\nwaiting_for = "a\\u001b[31m"', "resource.0.waiting_for:"),
        (POOL + 'wait = "a"\ninside = "api slots"', "inside of 'pool' must name the wait of another entry, not 'api"),
        (POOL + 'wait = "a"\ninside = "pool connections"', "the wait of another entry, not 'pool connections'"),
        (POOL + 'used = "a"\nbearer = "A=B"', "resource.0.bearer:"),
        (POOL + 'used = "a"\nbearer_hosts = ["http://a"]', "resource.0: bearer_hosts needs bearer"),
        (POOL + 'used = "a"\nbearer = "A"\nbearer_hosts = ["a:80"]', "resource.0: bearer_hosts must be http://"),
        (POOL + 'used = "a"\nbearer = "A"\nbearer_hosts = ["http://a:x"]', "resource.0: Port could not be cast"),
        ("".join(API.replace("api", f"a{i}") for i in range(MAX_RESOURCES + 1)), "resource: Tuple should have at most"),
        ('[tool.loadgate.target]\ncommand = ["a"]\nready_line = "("', "target.ready_line: '(' is not a regular"),
        (API + 'command = "a"\nport = 80', "resource.0: give only one of command, port and pid_file"),
        (API + "port = 0", "resource.0.port:"),
        (API + 'quantity = "x"', "resource.0.quantity: unknown key"),
        (API + API, "two entries measure 'memory' of 'api'"),
        (API.replace("api", "machine"), "the name 'machine' is reserved"),
        (API.replace("api", "a b"), "resource.0.name:"),
        (API.replace("process", "docker"), "resource.0: kind 'docker' is unknown: give process or prometheus"),
        (POOL, "resource.0: give at least one of used, wait and rate"),
        (POOL + 'used = "a{"', "resource.0: used: 'a{'"),
        (POOL + 'used = "a"\nrate = "b"', "resource.0: give only one of used and rate"),
        (POOL + 'wait = "a"\nlimit = "b"', "resource.0: limit needs used"),
        (POOL + 'used = "a"\nurl = "ftp://host/"', "resource.0: url must be a path"),
        (POOL + 'used = "a"\nurl = "metrics"', "resource.0: url must be a path"),
        (POOL + 'used = "a"\nurl = "http://host:99999/m"', "resource.0: Port out of range"),
        (POOL + 'used = "a"\nurl = "http://host:x/m"', "resource.0: Port could not be cast"),
        (POOL + 'used = "a"\nurl = "http://[::1/m"', "resource.0: Invalid IPv6 URL"),
        (POOL + 'used = "a"\nurl = "/a b"', "resource.0: url contains a space"),
        (POOL + 'used = "a"\nurl = "/ü"', "resource.0: url contains a space or another character"),
        (POOL + 'used = "a"\nurl = "/a\\r\\nX: 1"', "resource.0: url contains a space"),
        ('[tool.loadgate.target]\ncommand = ["a"]\nready_line = "x"\ncollect = "gc"', "target.collect:"),
        (POOL + 'used = "a"\nunit = "MB"', "resource.0.unit:"),
        (POOL + 'used = "a"\n' + POOL + 'used = "b"', "two entries measure 'connections' of 'pool'"),
        ("[tool.loadgate]\nresource = 5", "resource: must be a list"),
        (
            API.replace("[[", "[").replace("]]", "]"),
            "resource: must be a list of tables: write [[tool.loadgate.resource]]",
        ),
        (API.replace("kind", "sort"), "resource.0: kind is missing: give process or prometheus"),
        (POOL.replace("quantity", "quantitty") + 'used = "a"', "resource.0.quantitty: unknown key"),
        (POOL.replace("quantity", "unit") + 'used = "a"', "resource.0.quantity: is missing"),
    ],
)
def test_an_error_is_one_line_with_its_place(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        loaded(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/pyproject.toml: tool.loadgate")
    assert problem in message
    assert "\n" not in message


def test_a_file_without_a_table_of_tools_is_not_that_of_a_project(tmp_path: Path) -> None:
    assert loaded(tmp_path, "tool = 5").root == tmp_path


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(ProjectError, match=r"pyproject\.toml: cannot be read: Permission denied"):
        loaded(tmp_path, API)
