"""Check commands of the documentation against the command lines, without running them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

import loadgate.cli.command_line
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


def check_name(line: str) -> None:
    """Check that a command of `inference-core` or `loadgate` exists, whatever its arguments are.

    Raises:
        ValueError: It does not exist.
    """
    program, *arguments = shlex.split(line)
    _find(COMMANDS[program.removeprefix(".venv/bin/")], arguments)


def _find(app: typer.Typer, arguments: list[str]) -> tuple[TyperCommand, list[str]]:
    """Return the command that arguments name, and its own arguments."""
    command, rest = typer.main.get_command(app), arguments
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        if name not in command.commands:
            raise ValueError(f"there is no command {name}")
        command = command.commands[name]
    return command, rest


def _typer(app: typer.Typer) -> Callable[[list[str]], None]:
    def check(arguments: list[str]) -> None:
        command, rest = _find(app, arguments)
        command.make_context(command.name, rest)

    return check


def _make(arguments: list[str]) -> None:
    targets = " ".join(re.findall(r"^([\w -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for argument in arguments:
        if argument not in targets.split() and "=" not in argument:
            raise ValueError(f"make: there is no target {argument}")


def _cd(arguments: list[str]) -> None:
    if len(arguments) != 1:
        raise ValueError("cd: there must be one folder")


def _cp(arguments: list[str]) -> None:
    if not (ROOT / arguments[0]).is_file():
        raise ValueError(f"cp: there is no file {arguments[0]}")


def _python(arguments: list[str]) -> None:
    if arguments[:2] != ["-m", "pytest"] and not (ROOT / arguments[0]).is_file():
        raise ValueError(f"python: there is no file {arguments[0]}")


COMMANDS: dict[str, typer.Typer] = {"inference-core": command_line(service), "loadgate": loadgate.cli.command_line.cli}
CHECKS: dict[str, Callable[[list[str]], None]] = {
    **{name: _typer(app) for name, app in COMMANDS.items()},
    "make": _make,
    "python": _python,
    "cd": _cd,
    "cp": _cp,
}
