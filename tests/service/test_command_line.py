"""`inference-core` without a command that runs: its help, its version, and mistakes."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from inference_core.app.cli import command_line
from inference_core.service import service

COMMANDS = (
    *("up", "serve", "worker", "migrate", "upgrade", "downgrade", "current", "revision", "openapi"),
    *("create-superuser", "llm-sim"),
)


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_help_is_plain_text(option: str, columns: int) -> None:
    shown = CliRunner(env={"COLUMNS": str(columns)}).invoke(command_line(service), [option])
    assert (shown.exit_code, shown.stdout.split(maxsplit=1)[0]) == (0, "Usage:")
    assert shown.stdout.isascii()
    assert all(f"\n  {command} " in shown.stdout for command in COMMANDS)


def test_no_summary_of_a_command_is_cut_off_at_80_columns() -> None:
    assert (
        "..."
        not in CliRunner(env={"COLUMNS": "80"}).invoke(command_line(service), ["-h"]).stdout.partition("Commands:")[2]
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_short_option_for_help(command: str) -> None:
    shown = CliRunner().invoke(command_line(service), [command, "-h"])
    assert shown.exit_code == 0
    assert f" {command} [OPTIONS]" in shown.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    shown = CliRunner().invoke(command_line(service), ["--version"])
    assert (shown.exit_code, shown.stdout.split()[:2]) == (0, ["inference-core", version("inference-core")])


@pytest.mark.parametrize("arguments", [["--nonsense"], ["pu"], ["up", "--port", "x"], ["llm-sim", "--speed", "warp"]])
def test_a_mistake_is_plain_text_and_exit_code_2(arguments: list[str]) -> None:
    refused = CliRunner().invoke(command_line(service), arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1].startswith("Error: ")
    assert refused.stderr.isascii()
