"""Test that `loadgate profiles` calls Locust only after a change to the described files."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from loadgate.runner.describe import DescribeError, describe
from loadgate.runner.description_cache import MAX_STORED, DescriptionCache

SUITE = """
import json, os
from pathlib import Path
from locust import User, task
import loadgate
import helper

HERE = Path(__file__).parent
class Nobody(User):
    @task
    def nothing(self) -> None: ...

users = json.loads((HERE / "users.json").read_text())
profiles = {name.stem: helper.profile(users) for name in sorted((HERE / "profiles").iterdir())}
profiles["asked"] = helper.profile(int(os.environ.get("USERS_ASKED", "1")))
loadgate.install(profiles=profiles, user_classes=[Nobody])
"""
HELPER = """
from loadgate import LoadProfile
def profile(users):
    return LoadProfile("some", users=users, spawn_rate=1, run_time="1m")
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "suite"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "first.txt").touch()
    (folder / "users.json").write_text("10")
    (folder / "helper.py").write_text(HELPER)
    (folder / "locustfile.py").write_text(SUITE)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).parents[3])]))
    return folder


def without_locust(suite: Path) -> dict[str, object] | None:
    """Return the answer if no other process can be started."""
    return DescriptionCache(str(suite / "locustfile.py"), os.environ).find()


def ask(suite: Path) -> dict[str, object]:
    return describe(str(suite / "locustfile.py"))


@pytest.mark.process
def test_a_description_is_valid_until_its_sources_change(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(suite)
    assert [profile["name"] for profile in first["profiles"]] == ["first", "asked"]  # type: ignore[attr-defined]
    assert without_locust(suite) == first
    monkeypatch.setenv("COLUMNS", "20")
    assert without_locust(suite) == first
    (suite / "__pycache__").mkdir()  # as the first run of the suite does
    assert without_locust(suite) == first

    monkeypatch.setenv("USERS_ASKED", "7")
    assert without_locust(suite) is None
    monkeypatch.delenv("USERS_ASKED")
    changes = [
        lambda: (suite / "users.json").write_text("200"),
        lambda: (suite / "helper.py").write_text(HELPER.replace("1m", "5m")),
        (suite / "profiles" / "second.txt").touch,
        lambda: (suite / "locustfile.py").write_text(SUITE + "# changed"),
    ]
    assert without_locust(suite) == first
    cached = next((suite.parent / "cache" / "loadgate").iterdir())
    content = cached.read_text()
    for change in changes:
        change()
        assert without_locust(suite) is None
        # As if the answer were newer than the change.
        sources = json.loads(content)["sources"]
        DescriptionCache(str(suite / "locustfile.py"), os.environ).store(first, sources, time.time_ns())
        assert without_locust(suite) == first


@pytest.mark.process
def test_an_invalid_suite_is_described_again_each_time(suite: Path) -> None:
    (suite / "helper.py").write_text("raise ValueError('not today')")
    for _ in range(2):
        with pytest.raises(DescribeError, match="not today"):
            ask(suite)
    assert without_locust(suite) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'{"sources": 1, "description": {}}', b"\xff"])
def test_a_damaged_cache_file_is_ignored(suite: Path, content: bytes) -> None:
    cache = DescriptionCache(str(suite / "locustfile.py"), os.environ)
    cache.store({"default": "x"}, [], time.time_ns())
    assert cache.find() == {"default": "x"}
    (file,) = (suite.parent / "cache" / "loadgate").iterdir()
    file.write_bytes(content)
    assert cache.find() is None


def test_an_unwritable_cache_folder_is_ignored(suite: Path) -> None:
    (suite.parent / "cache").write_text("a file")
    cache = DescriptionCache(str(suite / "locustfile.py"), os.environ)
    cache.store({"default": "x"}, [], time.time_ns())
    assert cache.find() is None


def test_the_oldest_files_are_deleted(suite: Path) -> None:
    for number in range(MAX_STORED + 5):
        DescriptionCache(f"{suite}/{number}.py", os.environ).store({"default": "x"}, [], time.time_ns())
    assert len(list((suite.parent / "cache" / "loadgate").iterdir())) == MAX_STORED


def test_a_description_older_than_its_sources_is_not_stored(suite: Path) -> None:
    source = suite / "users.json"
    cache = DescriptionCache(str(suite / "locustfile.py"), os.environ)
    cache.store({"default": "x"}, [str(source)], source.stat().st_mtime_ns)
    assert cache.find() is None
    cache.store({"default": "x"}, [str(source)], source.stat().st_mtime_ns + 1)
    assert cache.find() == {"default": "x"}
