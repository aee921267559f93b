"""The end of a comparison or a search: write its files, and print the conclusion."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from loadgate.paths import shown_path
from loadgate.report.artefacts import ArtefactError, DocumentFiles, DocumentT
from loadgate.runner.run import Say
from loadgate.terminal import terminal_columns


def conclude(
    document: DocumentT,
    folder: Path,
    files: DocumentFiles[DocumentT],
    text_of: Callable[[DocumentT, Path | None, int | None], str],
    say: Say,
) -> None:
    """Write the files of a document, and print its conclusion.

    `text_of` returns the conclusion, with the path of the page, if it was written, and for the columns of the terminal.

    Raises:
        ArtefactError: Some files could not be written. The conclusion was printed.
    """
    columns = terminal_columns(os.environ)
    try:
        page = files.write(document, folder)
    except ArtefactError:
        say(text_of(document, None, columns))
        raise
    say(text_of(document, shown_path(page), columns))
