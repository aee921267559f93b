"""The one call by which a locustfile becomes a gate."""

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
    """Make the Locust process that loads this locustfile a gate. Call it once, at the end of the locustfile.

    `profiles` by name; LOAD_PROFILE or --load-profile picks one, else `default_profile` (the first). `thresholds` and
    `rules` judge the run, unless the profile has its own. `preflight` must hold before load is made; `None` means the
    checks in pyproject.toml. `generator_limits` say when the load generator itself counts as overloaded. `measures`
    are types of request events (`request_type`) that the suite fires for figures of its own, such as tokens: they are
    recorded as measures and are no requests. `requests` are types that are requests, though no HTTP methods. Mistakes
    in any of it end Locust with exit code 2 before any request.
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
