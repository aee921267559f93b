"""What differs between the loads of two runs."""

from __future__ import annotations

import json
from collections.abc import Mapping

from loadgate.run.document import RunDocument
from loadgate.run.document.environment import FingerprintRecord

_NO_LOAD = {"description", "thresholds", "rules"}
"""Keys of a profile that do not change the load."""
_LONGEST = 40


def load_difference(base: RunDocument, head: RunDocument) -> str:
    """Return what differs between the loads of two runs, one clause. "" if they are equal."""
    if fingerprint_of(base).profile == fingerprint_of(head).profile:
        return ""
    return differing(load_facts(base), head)


def differing(base: Mapping[str, str], head: RunDocument) -> str:
    """Return in which facts the load of a run differs from others, one clause."""
    other = load_facts(head)
    pairs = [(key, base.get(key, "nothing"), value) for key, value in other.items()]
    found = [f"{key} {_short(one)} and {_short(value)}" for key, one, value in pairs if one != value]
    return ", ".join(found) or "their hashes differ"


def fingerprint_of(document: RunDocument) -> FingerprintRecord:
    """Return the fingerprint of a run. Raises ValueError if it has none."""
    if document.made_on.fingerprint is None:
        raise ValueError("the load of the run is not stored")
    return document.made_on.fingerprint


def load_facts(document: RunDocument) -> dict[str, str]:
    """Return the load of a run in words."""
    run = document.run
    profile = {key: value for key, value in run.profile.model_dump().items() if key not in _NO_LOAD}
    facts = {**profile, "users": run.users, "spawn_rate": run.spawn_rate, "run_time": run.planned_s}
    return {key.replace("_", " "): _text(value) for key, value in facts.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
