"""What a locustfile hands to the gate, and what is refused of it before any load is made."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from locust import User
from locust.argument_parser import LocustArgumentParser

from loadgate.checks import Check, reachable, run_checks
from loadgate.defaults import (
    SuiteError,
    add_profile_option,
    choose_profile,
    rules_of,
    set_defaults,
    set_weights,
    unknown_scopes,
    validate_profile,
)
from loadgate.exit_codes import ExitCode
from loadgate.health import HealthLimits
from loadgate.profile import LoadProfile
from loadgate.project import Project
from loadgate.rules import Rule


@dataclass(frozen=True, slots=True)
class Suite:
    """What a locustfile hands over."""

    profiles: Mapping[str, LoadProfile]
    user_classes: Sequence[type[User]]
    thresholds: Mapping[str, float]
    rules: Sequence[str]
    preflight: Sequence[Check] | None
    default_profile: str
    generator_limits: HealthLimits


@dataclass(frozen=True, slots=True)
class Choice:
    """The profile of this process, and the rules its run is judged by."""

    profile: LoadProfile
    rules: tuple[Rule, ...]
    user_classes: tuple[type[User], ...]
    """Those that the profile gives a weight."""
    warnings: tuple[str, ...] = ()
    """One line each, to be said before load is made."""


def configure(parser: LocustArgumentParser, suite: Suite) -> Choice:
    """Choose the profile and make it Locust's defaults; Locust builds its parser, and so calls this, several times.

    Raises:
        SuiteError: the profile or a rule is wrong.
    """
    add_profile_option(parser, suite.default_profile)
    options, _ = parser.parse_known_args()
    choice = validated(suite, options.load_profile, options.rate)
    set_defaults(parser, choice.profile)
    set_weights(choice.profile, suite.user_classes, options)
    return choice


def validated(suite: Suite, name: str, rate: str | None = None) -> Choice:
    """Return the profile of that name, the default for an empty one, with its rules; `rate` makes it an open model.

    Raises:
        SuiteError: the profile or a rule is wrong.
    """
    profile = choose_profile(name, suite.profiles, suite.default_profile)
    if rate:
        profile = replace(profile, rate=rate, stages=())
    validate_profile(profile, suite.user_classes)
    weights = profile.weight_config
    user_classes = tuple(user for user in suite.user_classes if not weights or weights.get(user.__name__))
    rules = rules_of(profile, suite.thresholds, suite.rules, suite.user_classes)
    return Choice(profile, rules, user_classes, tuple(unknown_scopes(rules, suite.user_classes)))


def preflight_problems(suite: Suite, project: Project, host: str, user_classes: Iterable[type[User]] = ()) -> list[str]:
    """Return what keeps load from being made, one line each; `user_classes` are those that will have users."""
    checks = list(project.preflight_checks() if suite.preflight is None else suite.preflight)
    wanted = [(user.__name__, check) for user in user_classes for check in getattr(user, "preflight", ())]
    declared = {settings.name: settings.to_check() for settings in project.doctor}
    for user, check in wanted:
        if isinstance(check, str) and check not in declared and declared:
            return [f"{user}.preflight names {check!r}, which no [[tool.loadgate.doctor]] declares"]
        # The suite may be run from outside of its project, which declares the checks.
        found = declared.get(check) if isinstance(check, str) else check
        checks += [found] if found is not None and found not in checks else []
    results = run_checks(checks, host) if checks else [reachable(host)]
    return [result.line() for result in results if not result.ok and result.known]


def refuse(message: str, code: ExitCode) -> NoReturn:
    """End the process with each line of the message on standard error."""
    for line in message.splitlines():
        print(f"loadgate: {line}", file=sys.stderr)
    sys.exit(code)


__all__ = ["Choice", "Suite", "SuiteError", "configure", "preflight_problems", "refuse", "validated"]
