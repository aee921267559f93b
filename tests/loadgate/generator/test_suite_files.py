"""Test which files belong to a suite."""

import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

from loadgate.generator.suite_files import file_hashes, suite_hash


def module(file: Path | None, name: str = "helper") -> ModuleType:
    made = ModuleType(name)
    made.__file__ = str(file) if file is not None else None
    return made


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "suite"
    (folder / "users").mkdir(parents=True)
    (folder / "locustfile.py").write_text("import users.web\n")
    (folder / "users/web.py").write_text("A = 1\n")
    (folder / "unused.py").write_text("B = 1\n")
    (tmp_path / "shared.py").write_text("C = 1\n")
    return folder


def hash_of(folder: Path, *modules: ModuleType) -> str | None:
    return suite_hash([str(folder / "locustfile.py")], [module(folder / "users/web.py"), *modules])


def test_locustfiles_and_the_modules_of_their_folders_belong_to_the_suite(suite: Path) -> None:
    before = hash_of(suite)
    (suite / "unused.py").write_text("B = 2\n")
    (suite.parent / "shared.py").write_text("C = 2\n")
    assert hash_of(suite, module(suite.parent / "shared.py")) == before
    (suite / "users/web.py").write_text("A = 2\n")
    after = hash_of(suite)
    (suite / "locustfile.py").write_text("import users.web  # changed\n")

    assert len({before, after, hash_of(suite)}) == 3


def test_the_hash_does_not_depend_on_the_place_or_the_order(suite: Path) -> None:
    before = hash_of(suite)
    moved = suite.rename(suite.parent / "moved")

    assert hash_of(moved) == before
    files = [str(moved / name) for name in ("locustfile.py", "users/web.py")]
    assert suite_hash(files, []) == suite_hash(files[::-1], []) == suite_hash([*files, files[0]], []) == before


def test_packages_and_loadgate_do_not_belong_to_the_suite(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = suite / ".venv/lib/site-packages"
    installed.mkdir(parents=True)
    (installed / "package.py").write_text("D = 1\n")
    get_path = sysconfig.get_path
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(installed) if name == "purelib" else get_path(name))
    others = [module(installed / "package.py"), module(suite / "unused.py", "loadgate.users"), module(None)]

    assert hash_of(suite, *others) == hash_of(suite)


@pytest.mark.parametrize("locustfiles", [[], ["missing.py"]])
def test_a_suite_without_readable_files_has_no_hash(tmp_path: Path, locustfiles: list[str]) -> None:
    assert suite_hash([str(tmp_path / name) for name in locustfiles], []) is None


def test_each_file_has_a_hash_by_its_path_below_the_locustfiles(suite: Path) -> None:
    locustfiles = [str(suite / name) for name in ("locustfile.py", "missing.py")]
    before = file_hashes(locustfiles, [module(suite / "users/web.py")])
    moved = suite.rename(suite.parent / "moved")
    (moved / "users/web.py").write_text("A = 2\n")
    after = file_hashes([str(moved / "locustfile.py")], [module(moved / "users/web.py")])

    assert list(before) == ["locustfile.py", "missing.py", "users/web.py"]
    assert before["missing.py"] == ""
    assert before["locustfile.py"] == after["locustfile.py"]
    assert before["users/web.py"] != after["users/web.py"]
