"""Read run.json, also of the previous version."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from loadgate.run.document.model import SCHEMA_VERSION, RunDocument
from loadgate.run.document.stored_file import FileKind, read_file
from loadgate.run.document.version_2 import from_version_2

RUN_FILE = "run.json"

PREVIOUS_VERSION = 2
"""The older version that this one still reads."""

RUN = FileKind(
    name=RUN_FILE,
    content="a run of loadgate",
    versions=(PREVIOUS_VERSION, SCHEMA_VERSION),
    repair="restore the file, or delete the folder of this run",
    renewal="run the test again",
)


def read_run(path: Path) -> RunDocument:
    """Read a run from its folder or its run.json.

    Raises:
        RunFileError: There is no run.json, or this version cannot read it.
    """
    return read_file(path, RUN, _validated)


def _validated(content: bytes) -> RunDocument:
    try:
        return RunDocument.model_validate_json(content)
    except ValidationError as error:
        if any(item["loc"] == ("schema_version",) and item["input"] == PREVIOUS_VERSION for item in error.errors()):
            return RunDocument.model_validate_json(json.dumps(from_version_2(json.loads(content))))
        raise
