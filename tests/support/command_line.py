"""Call the command line of the load gate in the test process."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from typer.main import get_command

from loadgate.cli import command_line


class Said(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str


Command = Callable[..., Said]


def command(capsys: pytest.CaptureFixture[str], name: str) -> Command:
    """Return a function that calls a command with arguments."""

    def run(*arguments: str) -> Said:
        code = get_command(command_line.cli).main([name, *arguments], standalone_mode=False)
        return Said(code, capsys.readouterr().out)

    return run
