"""The commands of accounts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from inference_core.core.commands import new_commands, one_line_errors, read_settings, say
from inference_core.core.exceptions import OperatorError

commands = new_commands()


def ask_password() -> str:
    """Prompt for a password twice. A terminal hides the input; a pipe contains two lines.

    Raises:
        OperatorError: No password was typed.
    """
    hidden = sys.stdin.isatty()  # getpass warns if there is no terminal
    try:
        return str(typer.prompt("Password", hide_input=hidden, confirmation_prompt=True))
    except typer.Abort:
        typer.echo()
        raise OperatorError("no password was given; set SUPERUSER_PASSWORD, or type one") from None


@commands.command(name="create-superuser")
def create_superuser_command(
    username: Annotated[str, typer.Option(prompt=True, help="3 to 50 letters and digits.")],
    email: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[
        str,
        typer.Option(
            envvar="SUPERUSER_PASSWORD",
            help="Prompted for if not given. The environment variable keeps it out of the shell history.",
        ),
    ] = "",
) -> None:
    """Create an account with all permissions.

    It is created in the database of DATABASE_URL.
    """
    import asyncio

    from inference_core.auth.accounts.identifiers import read_username
    from inference_core.auth.admin.superusers import create_superuser
    from inference_core.auth.settings import AuthSettings
    from inference_core.core.current_service import current_service
    from inference_core.core.db.migrations.run import upgrade

    with one_line_errors():
        settings = read_settings()
        password = password or ask_password()
        upgrade(current_service(), settings)
        user_id = asyncio.run(
            create_superuser(settings.of(AuthSettings), username=username, email=email, password=password)
        )
    say(f"created superuser {read_username(username)} with id {user_id}")
