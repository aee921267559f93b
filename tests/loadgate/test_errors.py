"""Every error for whoever called a command has one base, which the command line catches."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import pytest

import loadgate
from loadgate import errors
from loadgate.errors import CommandError
from loadgate.exit_codes import ExitCode
from loadgate.report.artefacts import ArtefactError
from loadgate.shape.profile import LoadProfile, find_profile

LOCUST = ("generator", "users", "health", "sse", "entry")


def known_errors(base: type[CommandError] = CommandError) -> set[type[CommandError]]:
    return {base}.union(*map(known_errors, base.__subclasses__()))


def test_the_diagram_contains_every_error_below_its_base() -> None:
    for module in pkgutil.walk_packages(loadgate.__path__, "loadgate."):
        if not module.name.removeprefix("loadgate.").startswith(LOCUST):
            import_module(module.name)
    lines = (re.match(r"(?:[│ ]*[├└]── )?(\w+Errors?)\b", line) for line in (errors.__doc__ or "").splitlines())
    drawn = [(match.start(1), match[1]) for match in lines if match]
    above = {name: [other for at, other in drawn[:index] if at < column][-1:] for index, (column, name) in
             enumerate(drawn)}  # fmt: skip
    found = {error.__name__: [base.__name__ for base in error.__bases__ if issubclass(base, CommandError)]
             for error in known_errors()}  # fmt: skip
    assert above == found


def test_an_error_has_the_exit_code_of_its_command() -> None:
    with pytest.raises(CommandError, match="unknown load profile 'x'") as refused:
        find_profile("x", {})
    assert refused.value.exit_code is ExitCode.USAGE
    assert ArtefactError("report.html: No space left on device").exit_code is ExitCode.ERROR


def test_errors_of_a_suite_are_also_value_errors() -> None:
    with pytest.raises(ValueError, match="users must be a whole number"):
        LoadProfile("x", users=0).validate()
