"""The load-test users of the features, for the suite of a service.

`Feature.load_users` names a module of the suite with two constants:

- `USERS`: the user classes.
- `THRESHOLDS`: the limits of their groups, as a load profile takes them: `{"notes_p95_ms": 200}`.

The suite adds them to its own users, so a new feature changes no file of the suite. The module belongs to the suite
because a server has no load generator installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference_core.core.feature import FeatureError, Service


@dataclass(frozen=True, slots=True)
class FeatureLoad:
    """The load-test users of one feature, and the limits of their groups."""

    feature: str
    users: tuple[type[Any], ...]
    thresholds: Mapping[str, float]


def feature_loads(service: Service) -> list[FeatureLoad]:
    """Return the load-test users of each feature that has some, in the order of the features.

    Raises:
        FeatureError: There is no such module, or it does not have the two constants.
    """
    loads = []
    for feature, module in service.load_each("load_users"):
        users, thresholds = getattr(module, "USERS", None), getattr(module, "THRESHOLDS", None)
        if not isinstance(users, tuple) or not all(isinstance(user, type) for user in users):
            raise FeatureError(f"feature {feature.name}: load_users: {module.__name__} needs USERS, a tuple of classes")
        if not isinstance(thresholds, Mapping):
            raise FeatureError(f"feature {feature.name}: load_users: {module.__name__} needs THRESHOLDS, a mapping")
        loads.append(FeatureLoad(feature.name, users, thresholds))
    return loads
