"""Test that texts are wrapped in a terminal, and that lines of a CI log are not."""

from __future__ import annotations

import pytest

from loadgate.cli.output import say_text

TEXT = f"\nINCONCLUSIVE: {'auth: p95 is not clearly different, ' * 5}\nreport: {'a' * 50}/ab.html\n"


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_wider_than_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    say_text(TEXT)
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if len(line) > columns and " " in line.strip()] == []
    assert printed.split() == TEXT.split()
    assert (printed[0], printed[-2:]) == ("\n", "\n\n")


def test_without_a_terminal_lines_are_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    say_text(TEXT)
    assert capsys.readouterr().out == f"{TEXT}\n"
