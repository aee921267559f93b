"""The commands of crates."""

from __future__ import annotations

from inference_core.core.commands import new_commands, one_line_errors, read_settings, say

commands = new_commands()


@commands.command(name="crate-color")
def crate_color() -> None:
    """Print a setting."""
    from depot.crates.settings import CratesSettings

    with one_line_errors():
        say(read_settings().of(CratesSettings).crates_color)


labels = new_commands()
commands.add_typer(labels, name="labels")


@labels.callback()
def _labels() -> None:
    """Commands on labels."""


@labels.command(name="example")
def example() -> None:
    """Print a label."""
    say("A-1")
