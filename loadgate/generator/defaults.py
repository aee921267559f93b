"""How a load profile becomes Locust's defaults: users, spawn rate, run time, class weights, label and host."""

from __future__ import annotations

import difflib
import inspect
import math
import os
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence

from locust import User
from locust.argument_parser import LocustArgumentParser

from loadgate.errors import SuiteError
from loadgate.generator.groups import group_of
from loadgate.generator.users import BaseUser
from loadgate.recorder import OVERALL, RAMP, STEADY
from loadgate.rules import Rule, read_limits
from loadgate.shape.arrivals import EXAMPLES
from loadgate.shape.profile import LoadProfile, find_profile
from loadgate.shape.stages import closed_steps
from loadgate.units import plain

STOP_TIMEOUT_S = 10
"""How long requests in flight at the end of a run are waited for, unless --stop-timeout says otherwise."""

POOL_S = 2.0
"""An open model has users enough, unless --users says otherwise, for answers that take this long at the peak rate."""


LOAD_OPTIONS = {"num_users": "users", "spawn_rate": "spawn rate", "run_time": "run time"}
"""Locust's options for which a profile has values, and what to call them."""


def add_profile_option(parser: LocustArgumentParser, default: str) -> None:
    """Add --load-profile (LOAD_PROFILE) to Locust's command line; does nothing when it is there."""
    if any("--load-profile" in action.option_strings for action in parser._actions):  # noqa: SLF001 - no public way
        return
    group = parser.add_argument_group("Load profile")
    # A group adds plain argparse actions, which stay out of the web form: a profile cannot change once users exist.
    group.add_argument(
        "--load-profile",
        metavar="<name>",
        default=default,
        help="Load profile whose users, spawn rate, run time and class weights become the defaults",
        env_var="LOAD_PROFILE",
    )
    group.add_argument(
        "--rate",
        metavar="<arrivals>",
        help=f"Open model: start tasks by the clock, {EXAMPLES}, whatever the answers do",
    )


def choose_profile(name: str | None, profiles: Mapping[str, LoadProfile], default: str) -> LoadProfile:
    """Return the profile of that name, the default for an empty one.

    Raises:
        SuiteError: there is none of that name.
    """
    return find_profile(name or default, profiles)


def validate_profile(profile: LoadProfile, user_classes: Sequence[type[User]]) -> None:
    """Check that the profile can be run with these classes.

    Raises:
        SuiteError: it cannot, with all problems.
    """
    profile.validate([user.__name__ for user in user_classes])
    if profile.arrivals() is None:
        return
    unfit = [
        user.__name__
        for user in user_classes
        if profile.weight_config.get(user.__name__, 0 if profile.weight_config else 1)
        and not (issubclass(user, BaseUser) and all(inspect.isfunction(task) for task in user.tasks))
    ]
    if unfit:
        raise SuiteError(
            f"profile {profile.name!r}: an open model needs classes of loadgate.users.BaseUser whose tasks are "
            f"functions; {', '.join(unfit)} is not one"
        )


def rules_of(
    profile: LoadProfile, thresholds: Mapping[str, float], lines: Sequence[str], user_classes: Sequence[type[User]]
) -> tuple[Rule, ...]:
    """Return the rules that a run of a valid profile is judged by: its own where it has some, else the suite's.

    The same rule twice is one.

    Raises:
        SuiteError: some cannot be read, or name a misspelt group or a stage that the profile does not have; with all
            problems.
    """
    thresholds, lines = profile.own_limits or (thresholds, lines)
    rules = read_limits(thresholds, lines)
    # The rules of the thresholds come first, one each.
    problems = [*_misspelt_groups(rules[: len(thresholds)], user_classes), *_unknown_stages(rules, profile)]
    if problems:
        raise SuiteError("\n".join(problems))
    return tuple({str(rule): rule for rule in rules}.values())


def _misspelt_groups(rules: Iterable[Rule], user_classes: Sequence[type[User]]) -> list[str]:
    known = [OVERALL, *_groups(user_classes)]
    problems = []
    for rule in rules:
        close = difflib.get_close_matches(rule.scope, known, 1, 0.8)
        if close and rule.scope not in known:
            problems.append(
                f"threshold for {rule.scope!r}: no user class has that group; did you mean {close[0]!r}? "
                f"If a request has that name, write it as a rule: '{rule}'"
            )
    return problems


def _unknown_stages(rules: Iterable[Rule], profile: LoadProfile) -> list[str]:
    known = [RAMP, *(profile.stage_names or [STEADY])]
    return [
        f"profile {profile.name!r}: rule '{rule}' names the stage {rule.stage!r}; its stages are {', '.join(known)}"
        for rule in rules
        if rule.stage is not None and rule.stage not in known
    ]


def _groups(user_classes: Sequence[type[User]]) -> set[str]:
    return set(map(group_of, user_classes))


def overrides_of(parser: LocustArgumentParser, options: Namespace, profile: LoadProfile) -> tuple[str, ...]:
    """Say which load options of a configuration file or the environment win over the profile, a sentence a source.

    What is given on the command line is meant for this run, and needs no word. Call it before `set_defaults`.
    """
    found, wanted = [], _load_options(profile)
    for source, settings in parser.get_source_to_settings_dict().items():
        kind, _, path = source.partition("|")
        if kind not in {"environment_variables", "config_file"}:
            continue
        won = [
            f"{LOAD_OPTIONS[action.dest]} {value} (the profile: {plain(wanted[action.dest])})"
            for action, value in settings.values()
            if action is not None and action.dest in wanted and getattr(options, action.dest) != wanted[action.dest]
        ]
        if won:
            found.append(f"{path or 'the environment'} wins over profile {profile.name!r}: {', '.join(won)}")
    return tuple(found)


def _load_options(profile: LoadProfile) -> dict[str, float]:
    """The profile's values of LOAD_OPTIONS."""
    schedule = profile.arrivals()
    first = closed_steps(profile)[0]
    users = first.users if schedule is None else max(profile.users, math.ceil(schedule.peak_rate * POOL_S))
    # An open model's users are a pool that has to be there when the arrivals begin.
    spawn_rate = first.spawn_rate if schedule is None else float(users)
    return {"num_users": users, "spawn_rate": spawn_rate, "run_time": max(1, round(profile.run_time_s))}


def set_defaults(parser: LocustArgumentParser, profile: LoadProfile) -> None:
    """Make the profile's numbers Locust's defaults; what the user gives in any way still wins."""
    parser.set_defaults(
        **_load_options(profile),
        open_model=profile.arrivals() is not None,
        stop_timeout=STOP_TIMEOUT_S,
        profile=profile.name,
    )
    if host := os.environ.get("TARGET_HOST"):
        parser.set_defaults(host=host)


def set_weights(profile: LoadProfile, user_classes: Sequence[type[User]], options: Namespace) -> None:
    """Give each class its weight of the profile; 0 takes it out of the run.

    A class named on the command line runs whatever its weight. A worker keeps all classes: the master, which may run
    another profile, decides which of them get users.
    """
    if not profile.weight_config:
        return
    named = set(getattr(options, "user_classes", None) or ())
    for user in user_classes:
        weight = profile.weight_config.get(user.__name__, 0)
        keep = options.worker or user.__name__ in named
        user.weight = max(weight, 1) if keep else weight
