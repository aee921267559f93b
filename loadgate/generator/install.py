"""`install`, the call that adds the load gate to a locustfile."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import locust
from locust import User

from loadgate.checks import Check
from loadgate.generator.groups import declare_groups
from loadgate.generator.plugin import LoadGate
from loadgate.generator.suite import Suite
from loadgate.run.health import HealthLimits
from loadgate.shape.profile import LoadProfile


def install(
    *,
    profiles: Mapping[str, LoadProfile],
    user_classes: Sequence[type[User]],
    thresholds: Mapping[str, float] | None = None,
    rules: Sequence[str] = (),
    preflight: Sequence[Check] | None = None,
    default_profile: str | None = None,
    generator_limits: HealthLimits = HealthLimits(),  # noqa: B008 - frozen
    measures: Collection[str] = (),
    requests: Collection[str] = (),
) -> LoadGate:
    """Add the load gate to the Locust process that loads this locustfile. Call it once, at the end of the locustfile.

    Errors in the arguments end Locust with exit code 2 before the first request.

    Args:
        profiles: The load profiles by name. LOAD_PROFILE or --load-profile selects one.
        user_classes: The user classes of the suite.
        thresholds: Thresholds of runs whose profile has no limits of its own.
        rules: Rules of runs whose profile has no limits of its own.
        preflight: Checks that must pass before the load starts. `None` means the checks in pyproject.toml.
        default_profile: The profile of a run for which none is selected. Default: the first one.
        generator_limits: The limits above which the load generator is saturated.
        measures: Types of request events (`request_type`) that the suite fires for durations. They are recorded as
            measures and not as requests.
        requests: Types of request events that are requests although they are not HTTP methods.
    """
    default = default_profile or next(iter(profiles), "")
    suite = Suite(
        profiles=profiles,
        user_classes=user_classes,
        thresholds=thresholds or {},
        rules=rules,
        preflight=preflight,
        default_profile=default,
        generator_limits=generator_limits,
        measures=frozenset(measures),
        requests=frozenset(requests),
    )
    gate = LoadGate(suite)
    gate.attach(locust.events)
    declare_groups(user_classes)
    return gate
