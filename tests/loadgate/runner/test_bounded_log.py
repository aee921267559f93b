"""Test that the log of a process keeps its newest output in files of a limited size."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgate.runner.bounded_log import BoundedLog

pytestmark = pytest.mark.pure


def test_a_short_log_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "target.log"
    log = BoundedLog(path, 10)
    log.write(b"12345")
    log.write(b"67890")
    log.close()
    assert path.read_bytes() == b"1234567890"
    assert list(path.parent.iterdir()) == [path]


def test_a_long_log_keeps_its_newest_output(tmp_path: Path) -> None:
    path = tmp_path / "target.log"
    log = BoundedLog(path, 10)
    for number in range(100, 200):
        log.write(b"%d\n" % number)
    log.close()
    older = tmp_path / "target.log.1"
    assert max(path.stat().st_size, older.stat().st_size) <= 10
    kept = (older.read_bytes() + path.read_bytes()).split()
    assert kept == [b"%d" % number for number in range(200 - len(kept), 200)]
    assert len(kept) > 2


def test_a_new_log_replaces_both_parts_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "target.log"
    path.write_text("old")
    (tmp_path / "target.log.1").write_text("older")
    BoundedLog(path).close()
    assert [file.name for file in tmp_path.iterdir()] == ["target.log"]
    assert path.read_bytes() == b""
