"""The `inference-core` command: run the embedded stack, the API, workers, the migrations. Features add their own.

A command imports what it needs when it is called, so that help and errors are shown immediately.
"""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from inference_core.app import process_commands
from inference_core.core.commands import complain, new_commands, one_line_errors, read_settings, say
from inference_core.core.current_service import current_service
from inference_core.core.exceptions import OperatorError
from inference_core.core.feature import FeatureError, Service

app = new_commands()


def _show_version(asked: bool) -> None:
    if asked:
        say(f"inference-core {metadata.version('inference-core')} (Python {platform.python_version()})")
        raise typer.Exit


def _main(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run a service, migrate its database, and generate code."""
    from inference_core.core.telemetry.opentelemetry_variables import check_opentelemetry_variables

    with one_line_errors():
        check_opentelemetry_variables()


@app.command(name="migrate")
def migrate() -> None:
    """Update the schema of the database in DATABASE_URL."""
    upgrade("heads")


@app.command(name="upgrade")
def upgrade(
    revision: Annotated[str, typer.Argument(help="A revision of one feature; all newest ones by default.")] = "heads",
) -> None:
    """Upgrade the schema of every feature, or of one.

    The database is the one in DATABASE_URL.
    """
    from inference_core.core.database_url import shown_database_url
    from inference_core.core.db.migrations import run, state

    with one_line_errors():
        service, settings = current_service(), read_settings()
        applied = run.upgrade(service, settings, revision)
        newer = [one for one in state.feature_states(service, run.current(service, settings)) if one.is_newer]
    for one in newer:
        complain(f"{one}; this feature was not changed")
    if applied:
        say(f"applied {len(applied)} {'migration' if len(applied) == 1 else 'migrations'}: {', '.join(applied)}")
    state_now = "is up to date" if revision == "heads" else f"has {revision}"
    say(f"the database {shown_database_url(settings.database_url)} {state_now}")


@app.command(name="downgrade")
def downgrade(
    revision: Annotated[
        str, typer.Argument(help="A revision of one feature, notes@base for no table of notes, or base for no table.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before all tables are dropped.")] = False,
) -> None:
    """Downgrade the schema of one feature, or of all.

    The database is the one in DATABASE_URL.
    """
    from inference_core.core.db.migrations import run

    with one_line_errors():
        service, settings = current_service(), read_settings()
        if revision == "base" and not yes:
            typer.confirm("Drop all tables of the service and their rows?", abort=True)
        run.downgrade(service, settings, revision)
    say(f"the database is at {revision}")


@app.command(name="current")
def current() -> None:
    """Show the revision of each feature in the database.

    The database is the one in DATABASE_URL.
    """
    from inference_core.core.db.migrations import run, state

    with one_line_errors():
        service = current_service()
        stored = run.current(service, read_settings())
        for one in state.feature_states(service, stored):
            say(str(one))
        for line in state.unknown_revisions(service, stored):
            say(line)


@app.command(name="revision")
def revision(
    message: Annotated[str, typer.Option("--message", "-m", help="What the revision changes, in one line.")],
    feature: Annotated[str, typer.Option(help="Write only the revision of this feature.")] = "",
) -> None:
    """Write a migration for each feature whose models changed.

    The models are compared with the database in DATABASE_URL, which must be at the newest revisions.
    """
    from inference_core.core.db.migrations.write import write_revisions

    with one_line_errors():
        if not write_revisions(current_service(), read_settings(), message, feature, say):
            say("nothing has changed")


@app.command(name="settings")
def settings() -> None:
    """Print all settings and their defaults as .env.example."""
    from inference_core.app.env_example import env_example

    with one_line_errors():
        for line in env_example(current_service()):
            say(line)


@app.command(name="new")
def new(
    path: Annotated[Path, typer.Argument(help="Folder of the service. It must not exist, or be empty.")],
    name: Annotated[str | None, typer.Option(help="Name of its package. The default is that of the folder.")] = None,
    template_path: Annotated[
        Path | None, typer.Option(help="Checkout of inference-core to depend on. The default is the running one.")
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Leave out the example feature, notes.")] = False,
) -> None:
    """Create a service that uses inference-core."""
    from inference_core.app.generate.project import new_project

    with one_line_errors():
        for line in new_project(path, name, template_path, bare=bare):
            say(line)


generate = new_commands()
generate.info.help = "Generate the code of a new feature."
app.add_typer(generate, name="generate")


@generate.callback()
def _generate() -> None:
    """Generate code of the service."""


@generate.command(name="feature")
def generate_feature(
    name: Annotated[str, typer.Argument(help="Name of the feature, a plural in snake case, such as notes.")],
    singular: Annotated[str | None, typer.Option(help="Singular of the name, if it is irregular.")] = None,
    service_file: Annotated[
        Path | None, typer.Option(help="File with the list of features. The default is that of the current service.")
    ] = None,
) -> None:
    """Write a feature with a table, routes, a task, tests and a load profile, and add it to the service."""
    from inference_core.app.generate.feature import generate_feature as write

    with one_line_errors():
        for line in write(name, singular, service_file):
            say(line)


@app.command(name="openapi")
def openapi(
    output: Annotated[Path | None, typer.Option(help="Write the document to this file.")] = None,
    check: Annotated[Path | None, typer.Option(help="Compare with this document of an earlier version.")] = None,
) -> None:
    """Print or check the OpenAPI document of the service.

    Neither a database nor Redis is needed. With --check, the exit code is 1 if a client of the earlier version breaks.
    """
    from inference_core.app.contract.document import as_text, changes_since, service_document

    if output and check:
        raise typer.BadParameter("use either --output or --check", param_hint="--check")
    with one_line_errors():
        document = service_document(current_service(), read_settings())
        if check is None:
            if output:
                output.write_text(as_text(document), encoding="utf-8")
            else:
                typer.echo(as_text(document), nl=False)
            return
        changes = changes_since(check, document)
    for change in changes:
        say(str(change))
    if any(change.breaking for change in changes):
        raise typer.Exit(1)
    say("no breaking change")


def command_line(service: Service) -> typer.Typer:
    """Return the commands of every service, followed by those of the features.

    Raises:
        FeatureError: A command has the name of another one.
    """
    whole = new_commands(add_completion=True)
    whole.callback()(_main)
    known: set[str] = set()
    features = [(f"feature {feature.name}: ", added) for feature, added in service.load_each("commands")]
    for owner, added in (("", process_commands.commands), ("", app), *features):
        for command in (*added.registered_commands, *added.registered_groups):
            name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
            if name in known:
                raise FeatureError(f"{owner}commands: there is already a command {name}")
            known.add(name)
        whole.registered_commands += added.registered_commands
        whole.registered_groups += added.registered_groups
    return whole


def load_commands() -> typer.Typer:
    """Return the command line of the current service. If it is not defined correctly, exit with one line."""
    try:
        return command_line(current_service())
    except OperatorError as error:
        complain(error)
        sys.exit(1)
