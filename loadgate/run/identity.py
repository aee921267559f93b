"""How a process of a run introduces itself, and the comparison of a worker with its master."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from loadgate.run.document.parts import Count, Part

MAX_ENTRIES = 5000
MAX_LENGTH = 1000
SHOWN = 3
"""Number of files or classes that a message names."""

Name = Annotated[str, Field(max_length=MAX_LENGTH)]
Names = Annotated[dict[Name, Name], Field(max_length=MAX_ENTRIES)]


class Identity(Part):
    """What a process would run, in a form that workers send to their master. Hashes are short texts."""

    versions: Names = Field(description="Versions of loadgate, Locust and Python.")
    files: Names = Field(description="Hashes of the files of the suite.")
    profiles: Names = Field(description="Hashes of the loads of the suite's profiles.")
    user_classes: Annotated[list[Name], Field(max_length=MAX_ENTRIES)]
    pid: Count = Field(description="The process id on its host. It is not compared.")
    options: Names = Field(description="Options that change the load: on a worker, those with which it was started.")


def difference(master: Identity, worker: Identity, profile: str, needed_classes: list[str]) -> str:
    """Return why the worker cannot take part in the master's run of `profile`, and what to do. "" if it can.

    The text is the end of a sentence about the worker. Only the first difference is named, because it can explain the
    others.
    """
    for name, version in master.versions.items():
        there = worker.versions.get(name, "")
        if _major(there) != _major(version):
            has = f"it has {name} {there or '(unknown)'} and the master {version}"
            return f"{has}; install the same version on all machines"
    if files := _differing(master.files, worker.files):
        return f"its suite differs in {files}; use the same files on all machines"
    for option, value in worker.options.items():
        if value != (by_master := master.options.get(option, "")):
            started = (
                f"it was started with {option} {value} and the master {f'with {by_master}' if by_master else 'without'}"
            )
            return f"{started}; start workers without this option, because the master sets it"
    if master.profiles.get(profile) != worker.profiles.get(profile):
        return (
            f"the profile {profile!r} has another load there, although the files are the same; "
            "compare the environment variables that the suite reads"
        )
    if missing := [name for name in needed_classes if name not in worker.user_classes]:
        return f"it has no user class {_some(missing)}; start workers without names of user classes"
    return ""


def minor_differences(master: Identity, worker: Identity) -> list[str]:
    """Return the differences between versions that do not prevent a run, such as `Locust 2.46.0 instead of 2.47.0`."""
    return [
        f"{name} {worker.versions.get(name, '')} instead of {version}"
        for name, version in master.versions.items()
        if worker.versions.get(name) != version
    ]


def _major(version: str) -> tuple[str, ...]:
    """Return the part of a version that changes with incompatible releases: 2 of 2.47.0, and 0.1 of 0.1.3."""
    first, *rest = version.split(".")
    return (first, *rest[:1]) if first == "0" else (first,)


def _differing(master: Mapping[str, str], worker: Mapping[str, str]) -> str:
    differing = sorted(name for name in {*master, *worker} if master.get(name) != worker.get(name))
    return _some(differing)


def _some(names: list[str]) -> str:
    shown = names[:SHOWN]
    return ", ".join(shown) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
