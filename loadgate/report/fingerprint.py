"""Short hashes that tell which runs are comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from loadgate.run.document.environment import FingerprintRecord, MachineClassRecord
from loadgate.run.plan import Plan
from loadgate.shape.profile import LoadProfile

_LENGTH = 12
_NO_LOAD = frozenset({"description", "thresholds", "rules"})
"""Fields of a profile that do not change the load. The rules have a hash of their own."""


def fingerprint(machine: MachineClassRecord, plan: Plan) -> FingerprintRecord:
    """Return the fingerprint of a run: of the class of its machine, its load, its rules and its suite."""
    load = [_load_of(plan.profile), plan.users, plan.spawn_rate, plan.run_time_s]
    profile, rules, suite = short_hash(load), short_hash(sorted(map(str, plan.rules))), plan.suite_hash
    return FingerprintRecord(
        machine=short_hash(machine.model_dump(mode="json")),
        profile=profile,
        rules=rules,
        suite=suite,
        test=short_hash([profile, rules, suite]) if suite is not None else None,
    )


def load_hash(profile: LoadProfile) -> str:
    """Return the hash of the load of a profile, as the suite declares it."""
    return short_hash(_load_of(profile))


def _load_of(profile: LoadProfile) -> dict[str, Any]:
    return {name: value for name, value in asdict(profile).items() if name not in _NO_LOAD}


def short_hash(value: object) -> str:
    """Return the hash of a value. Equal values have equal hashes in every process."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]
