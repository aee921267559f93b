"""The display that only writes a log."""

from __future__ import annotations

from pathlib import Path

from loadgate.live.display import LoggedDisplay


def test_the_output_is_appended(tmp_path: Path) -> None:
    display = LoggedDisplay(tmp_path / "locust.log")
    display.say("one\n")
    display.say("two\n")
    assert (tmp_path / "locust.log").read_text() == "one\ntwo\n"


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    LoggedDisplay(tmp_path).say("a folder cannot be written\n")
