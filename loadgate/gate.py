"""The one call by which a locustfile becomes a gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import locust
from locust import User

from loadgate.checks import Check
from loadgate.health import HealthLimits
from loadgate.locust_plugin import LoadGate
from loadgate.profile import LoadProfile
from loadgate.suite import Suite


def install(
    *,
    profiles: Mapping[str, LoadProfile],
    user_classes: Sequence[type[User]],
    thresholds: Mapping[str, float] | None = None,
    rules: Sequence[str] = (),
    preflight: Sequence[Check] | None = None,
    default_profile: str | None = None,
    generator_limits: HealthLimits = HealthLimits(),  # noqa: B008 - frozen
) -> LoadGate:
    """Make the Locust process that loads this locustfile a gate. Call it once, at the end of the locustfile.

    `profiles` by name; LOAD_PROFILE or --load-profile picks one, else `default_profile` (the first). `thresholds` and
    `rules` judge the run, unless the profile has its own. `preflight` must hold before load is made; `None` means the
    checks in pyproject.toml. `generator_limits` say when the load generator itself counts as overloaded. Mistakes in
    any of it end Locust with exit code 2 before any request.
    """
    default = default_profile or next(iter(profiles), "")
    gate = LoadGate(Suite(profiles, user_classes, thresholds or {}, rules, preflight, default, generator_limits))
    gate.attach(locust.events)
    return gate
