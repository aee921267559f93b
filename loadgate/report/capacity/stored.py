"""Find stored searches for the capacity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loadgate.report.capacity.document import CAPACITY_FILE, CapacityDocument
from loadgate.report.fingerprint import short_hash
from loadgate.run.document import RunFileError
from loadgate.run.document.plan import ProfileRecord

MAX_SEARCHES = 200
"""So many of the newest folders are read."""


def load_hash(profile: ProfileRecord) -> str:
    """Return the hash of what a profile asks for at any rate: its name and the weights of its users."""
    return short_hash([profile.name, dict(profile.weight_config)])


def stored_searches(folder: Path, profile: str | None = None) -> Iterator[tuple[str, CapacityDocument]]:
    """Yield the name of the folder and the document of each search, newest first. Unreadable ones are left out."""
    if not folder.is_dir():
        return
    # The name of a folder starts with the time of its search.
    names = sorted((path.name for path in folder.iterdir() if (path / CAPACITY_FILE).is_file()), reverse=True)
    for name in names[:MAX_SEARCHES]:
        try:
            document = CapacityDocument.read(folder / name)
        except RunFileError:
            continue
        if profile in {None, document.search.profile}:
            yield name, document
