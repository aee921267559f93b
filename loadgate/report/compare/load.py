"""What differs between the loads of two runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from loadgate.run.document import RunDocument
from loadgate.run.document.environment import FingerprintRecord

_NO_LOAD = {"description", "thresholds", "rules"}
"""Keys of a profile that do not change the load."""
_LONGEST = 40


def load_difference(base: RunDocument, head: RunDocument) -> str:
    """Return what differs between the loads of two runs, one clause. "" if they are equal."""
    if fingerprint_of(base).profile == fingerprint_of(head).profile:
        return ""
    one, other = _load(base), _load(head)
    differing = [f"{key} {_shown(one[key])} and {_shown(other[key])}" for key in one if one[key] != other[key]]
    return ", ".join(differing) or "their hashes differ"


def fingerprint_of(document: RunDocument) -> FingerprintRecord:
    """Return the fingerprint of a run. Raises ValueError if it has none."""
    if document.made_on.fingerprint is None:
        raise ValueError("the run has no fingerprint")
    return document.made_on.fingerprint


def _load(document: RunDocument) -> Mapping[str, Any]:
    run = document.run
    profile = {key.replace("_", " "): value for key, value in run.profile.model_dump().items() if key not in _NO_LOAD}
    return {**profile, "users": run.users, "spawn rate": run.spawn_rate, "run time": run.planned_s}


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
