"""The one call by which a locustfile becomes a gate."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import locust
from locust import FastHttpUser, HttpUser, User

from loadgate.checks import Check
from loadgate.generator.client.tracing import traced
from loadgate.generator.groups import declare_groups
from loadgate.generator.plugin import LoadGate
from loadgate.generator.suite import Suite
from loadgate.generator.users import BaseUser
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
    for user_class in user_classes:
        if issubclass(user_class, HttpUser | FastHttpUser) and not issubclass(user_class, BaseUser):
            _trace_requests(user_class)
    return gate


def _trace_requests(user_class: type[User]) -> None:
    """Have the class's requests carry a trace, as a BaseUser's do: Locust makes the session of each user with it."""
    begin = user_class.__init__

    @functools.wraps(begin)
    def with_traces(user: Any, *arguments: Any, **options: Any) -> None:
        begin(user, *arguments, **options)
        # A base class may be among the user classes as well.
        if "request" not in vars(user.client):
            common = user.client.headers if isinstance(user, HttpUser) else user.default_headers or {}
            user.client.request = traced(user.client.request, common)

    user_class.__init__ = with_traces  # type: ignore[method-assign,assignment]
