"""The arguments of `install`, and their checks before the load starts."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from locust import FastHttpUser, HttpUser, User
from locust.argument_parser import LocustArgumentParser

from loadgate.checks import Check, host_problem, is_http, reachable, run_checks, run_without_host, uses_host
from loadgate.environment import named
from loadgate.errors import SuiteError
from loadgate.exit_codes import ExitCode
from loadgate.generator.defaults import (
    LOAD_OPTIONS,
    add_gate_options,
    overrides_of,
    rules_of,
    set_defaults,
    set_options,
    set_weights,
    validate_profile,
)
from loadgate.generator.locust_options import options_with, start_problems
from loadgate.project import Project
from loadgate.rules import Rule
from loadgate.run.health import HealthLimits
from loadgate.shape.profile import LoadProfile, ProfileError, find_profile


@dataclass(frozen=True, slots=True)
class Suite:
    """The arguments that a locustfile passes to `install`."""

    profiles: Mapping[str, LoadProfile]
    user_classes: Sequence[type[User]]
    thresholds: Mapping[str, float]
    rules: Sequence[str]
    preflight: Sequence[Check] | None
    default_profile: str
    generator_limits: HealthLimits
    measures: Collection[str] = ()
    """Types of request events that are durations and not requests."""
    requests: Collection[str] = ()
    """Types of request events that are requests although they are not HTTP methods."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The profile of this process and the rules that apply to its run."""

    profile: LoadProfile
    rules: tuple[Rule, ...]
    user_classes: tuple[type[User], ...]
    """The classes to which the profile gives a weight."""
    given: frozenset[str] = frozenset()
    """The options among num_users, spawn_rate and run_time that were set, in any source."""
    overrides: tuple[str, ...] = ()
    """Sentences about configuration files and environment variables that override the profile."""
    request_types: frozenset[str] = frozenset()
    """Types of request events that the suite declares as requests or as measures."""
    set_options: Mapping[str, str] = field(default_factory=dict)
    """The options of the load gate that were set, in any source, with their values."""


def configure(parser: LocustArgumentParser, suite: Suite) -> Choice:
    """Choose the profile and set Locust's defaults from it. Call it for each parser that Locust builds.

    Raises:
        SuiteError: The profile, a rule or a value with which Locust cannot start is wrong.
    """
    add_gate_options(parser)
    parser.set_defaults(load_profile=suite.default_profile)
    options = options_with(parser, load_profile="", expect_workers=None)
    if problems := start_problems(options):
        raise SuiteError("\n".join(problems))
    choice = validated(suite, options.load_profile, options.rate)
    given = frozenset(name for name in LOAD_OPTIONS if getattr(options, name) is not None)
    choice = replace(
        choice,
        given=given,
        overrides=overrides_of(parser, options, choice.profile),
        request_types=frozenset({*suite.requests, *suite.measures}),
        set_options=set_options(options),
    )
    set_defaults(parser, choice.profile)
    set_weights(choice.profile, suite.user_classes, options)
    return choice


def validated(suite: Suite, name: str, rate: str | None = None) -> Choice:
    """Return the profile `name` and its rules. An empty name means the default profile. `rate` makes it an open model.

    Raises:
        SuiteError: The profile or a rule is wrong.
    """
    try:
        profile = find_profile(name or suite.default_profile, suite.profiles)
    except ProfileError as error:
        raise ProfileError(named(str(error), name, "LOAD_PROFILE")) from None
    replaced_stages = profile.stage_names if rate else []
    if rate:
        profile = replace(profile, rate=rate, stages=())
    validate_profile(profile, suite.user_classes)
    weights = profile.weight_config
    user_classes = tuple(user for user in suite.user_classes if not weights or weights.get(user.__name__))
    rules = rules_of(profile, suite.thresholds, suite.rules, suite.user_classes, replaced_stages)
    return Choice(profile, rules, user_classes)


def host_problems(suite: Suite, hosts: Sequence[str], user_classes: Sequence[type[User]]) -> list[str]:
    """Return one line for each invalid host. Hosts with a scheme other than HTTP are not checked.

    A host without a scheme is invalid if all users send HTTP, unless the suite has turned its checks off.
    """
    is_checked = suite.preflight is None or bool(suite.preflight)
    must_be_http = is_checked and all(issubclass(user, HttpUser | FastHttpUser) for user in user_classes)
    checked = [host for host in hosts if is_http(host) or (must_be_http and "://" not in host)]
    return [named(problem, host, "TARGET_HOST") for host in checked if (problem := host_problem(host))]


def preflight_problems(
    suite: Suite, project: Project, hosts: Sequence[str], user_classes: Sequence[type[User]]
) -> list[str]:
    """Return one line for each failed check. `user_classes` are the classes that will have users.

    Only HTTP hosts are checked, because the suite has its own clients for other hosts.
    """
    checks = list(project.preflight_checks() if suite.preflight is None else suite.preflight)
    wanted = [(user.__name__, check) for user in user_classes for check in getattr(user, "preflight", ())]
    declared = {settings.name: settings.to_check() for settings in project.doctor}
    for user, check in wanted:
        if isinstance(check, str) and check not in declared and declared:
            return [f"{user}.preflight names the check {check!r}, but no [[tool.loadgate.doctor]] declares it"]
        # Outside the suite's project, no checks are declared, and the names of checks are ignored.
        found = declared.get(check) if isinstance(check, str) else check
        checks += [found] if found is not None and found not in checks else []
    checked = [host for host in hosts if is_http(host)]
    if checked:
        results = [*run_checks(checks, checked[0]), *map(reachable, checked[1:])]
    else:
        results = run_without_host([check for check in checks if not uses_host(check)])
    return [result.line() for result in results if not result.ok and result.known]


def refuse(message: str, code: ExitCode) -> NoReturn:
    """Print each line of the message to standard error and exit."""
    for line in message.splitlines():
        print(f"loadgate: {line}", file=sys.stderr)
    sys.exit(code)


__all__ = ["Choice", "Suite", "configure", "host_problems", "preflight_problems", "refuse", "validated"]
