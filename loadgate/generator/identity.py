"""The identity of this process: what it would run, for the comparison of workers with their master."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from locust.env import Environment

from loadgate.generator.suite import Choice, Suite
from loadgate.generator.suite_files import file_hashes
from loadgate.report.fingerprint import load_hash
from loadgate.run.identity import Identity

DISTRIBUTION = "inference-core"
"""The installed package that contains loadgate."""


def own_identity(suite: Suite, choice: Choice, environment: Environment) -> Identity:
    """Return the identity of this process. Call it after the locustfiles have been imported."""
    return Identity(
        versions={"loadgate": _version(), "Locust": metadata.version("locust"), "Python": platform.python_version()},
        files=file_hashes(environment.parsed_locustfiles or ()),
        profiles={name: load_hash(profile) for name, profile in suite.profiles.items()},
        user_classes=[user.__name__ for user in environment.user_classes],
        pid=os.getpid(),
        options=dict(choice.set_options),
    )


def _version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0"
