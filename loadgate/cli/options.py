"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Locustfile = Annotated[
    str | None,
    typer.Option("--locustfile", "-f", help="Locustfile, comma-separated list, or folder, instead of the project's."),
]
