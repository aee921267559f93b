"""Check commands of the documentation against the command lines, without running them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import typer
import typer.main
from typer.core import TyperGroup

import loadgate.cli
from inference_core.app.cli import command_line
from inference_core.service import service
from tests.support.stack import ROOT


def check_command(line: str) -> None:
    """Check that a documented command exists and accepts its arguments.

    Raises:
        ValueError: It is unknown.
        typer.exceptions.TyperException: Its arguments are not accepted.
    """
    words = shlex.split(line)
    program = words[0].removeprefix(".venv/bin/")
    if program not in CHECKS:
        raise ValueError(f"{line!r}: no check for {program}; see tests/docs/commands.py")
    CHECKS[program](words[1:])


def _typer(app: typer.Typer) -> Callable[[list[str]], None]:
    def check(arguments: list[str]) -> None:
        command, rest = typer.main.get_command(app), arguments
        while isinstance(command, TyperGroup):
            name, *rest = rest
            if name not in command.commands:
                raise ValueError(f"there is no command {name}")
            command = command.commands[name]
        command.make_context(command.name, rest)

    return check


def _make(arguments: list[str]) -> None:
    targets = " ".join(re.findall(r"^([\w -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for argument in arguments:
        if argument not in targets.split() and "=" not in argument:
            raise ValueError(f"make: there is no target {argument}")


def _cp(arguments: list[str]) -> None:
    if not (ROOT / arguments[0]).is_file():
        raise ValueError(f"cp: there is no file {arguments[0]}")


def _python(arguments: list[str]) -> None:
    if arguments[:2] != ["-m", "pytest"] and not (ROOT / arguments[0]).is_file():
        raise ValueError(f"python: there is no file {arguments[0]}")


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "inference-core": _typer(command_line(service)),
    "loadgate": _typer(loadgate.cli._cli),
    "make": _make,
    "python": _python,
    "cp": _cp,
}
