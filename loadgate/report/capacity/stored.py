"""Find stored searches for the capacity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from loadgate.report.capacity.document import CAPACITY_FILE, CapacityDocument
from loadgate.report.fingerprint import short_hash
from loadgate.run.document import RunFileError
from loadgate.run.document.environment import MachineClassRecord

MAX_SEARCHES = 200
"""So many of the newest folders are read."""


def load_hash(profile: str, weights: Mapping[str, float]) -> str:
    """Return the hash of what a profile asks for at any rate: its name and the weights of its users."""
    return short_hash([profile, dict(weights)])


def capacity_on(
    folder: Path, wanted_load: str, machine: MachineClassRecord, target: str
) -> tuple[str, CapacityDocument] | None:
    """Return the newest search with the same load, class of machine and target that has a confirmed lower bound."""
    wanted = short_hash(machine.model_dump(mode="json"))
    for name, document in stored_searches(folder):
        fingerprint = document.made_on.fingerprint if document.made_on is not None else None
        is_same = document.load_hash == wanted_load and document.search.target == target
        if is_same and fingerprint is not None and fingerprint.machine == wanted and document.result.is_confirmed:
            return name, document
    return None


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
