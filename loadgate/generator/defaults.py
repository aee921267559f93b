"""Set Locust's defaults from a load profile: users, spawn rate, run time, class weights, label and host."""

from __future__ import annotations

import difflib
import inspect
import math
import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Mapping, Sequence

from locust import User
from locust.argument_parser import LocustArgumentParser

from loadgate.errors import SuiteError
from loadgate.generator.groups import group_of
from loadgate.generator.users import BaseUser
from loadgate.recorder import OVERALL, RAMP, STEADY
from loadgate.rules import MetricKind, Rule, read_limits
from loadgate.shape.arrivals import EXAMPLES
from loadgate.shape.profile import LoadProfile
from loadgate.shape.stages import closed_steps
from loadgate.units import duration_s, plain

STOP_TIMEOUT_S = 10
"""Time for requests in flight to finish at the end of a run, unless --stop-timeout is set."""

POOL_S = 2.0
"""Without --users, an open model has enough users for responses that take this long at the peak rate."""


LOAD_OPTIONS = {"num_users": "users", "spawn_rate": "spawn rate", "run_time": "run time"}
"""Locust's options for which a profile has values, with their names in messages."""


GATE_OPTIONS = {"load_profile": "--load-profile", "rate": "--rate", "settle": "--settle", "seed": "--seed"}


def add_gate_options(parser: LocustArgumentParser) -> None:
    """Add the options of the load gate to Locust's command line, if they are not there yet."""
    if any("--load-profile" in action.option_strings for action in parser._actions):  # noqa: SLF001 - no public attribute
        return
    group = parser.add_argument_group("Load profile")
    # The web form does not show options in a group, and a profile cannot change after Locust has started.
    group.add_argument(
        "--load-profile",
        metavar="<name>",
        default="",
        help="Load profile whose users, spawn rate, run time and class weights become the defaults",
        env_var="LOAD_PROFILE",
    )
    group.add_argument(
        "--rate",
        metavar="<arrivals>",
        help=f"Open model: start tasks at this rate, {EXAMPLES}, whether or not responses have arrived",
    )
    group.add_argument(
        "--settle",
        metavar="<duration>",
        type=_duration_s,
        help="Open model: requests of this time at the start, such as 5s, belong to the stage ramp",
    )
    group.add_argument(
        "--seed",
        metavar="<number>",
        type=int,
        help="Seed of Python's random numbers and of the tasks of an open model, so that runs can be repeated",
    )


def set_options(options: Namespace) -> dict[str, str]:
    """Return the options of the load gate that have a value, as texts."""
    values = {option: getattr(options, name) for name, option in GATE_OPTIONS.items()}
    return {option: str(value) for option, value in values.items() if value not in {None, ""}}


def _duration_s(text: str) -> float:
    try:
        return duration_s(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def validate_profile(profile: LoadProfile, user_classes: Sequence[type[User]]) -> None:
    """Check that the profile can be run with these classes.

    Raises:
        SuiteError: The profile cannot be run. The text lists all problems.
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
            f"profile {profile.name!r}: an open model needs subclasses of loadgate.users.BaseUser whose tasks are "
            f"functions; these classes are different: {', '.join(unfit)}"
        )


def rules_of(
    profile: LoadProfile,
    thresholds: Mapping[str, float],
    lines: Sequence[str],
    user_classes: Sequence[type[User]],
    replaced_stages: Sequence[str] = (),
) -> tuple[Rule, ...]:
    """Return the rules for a run of a valid profile, without duplicates: the profile's own or else the suite's.

    `replaced_stages` are the stages that the profile has without `--rate`.

    Raises:
        SuiteError: A rule cannot be read, or names a misspelt group or an unknown stage. The text lists all problems.
    """
    thresholds, lines = profile.own_limits or (thresholds, lines)
    rules = read_limits(thresholds, lines)
    # The rules of the thresholds come first. Only a threshold always names a group; a rule can also name a request.
    problems = _misspelt_groups(rules[: len(thresholds)], user_classes)
    problems += _unknown_stages(rules, profile, replaced_stages)
    if problems:
        raise SuiteError("\n".join(problems))
    return tuple({str(rule): rule for rule in rules}.values())


def _misspelt_groups(rules: Iterable[Rule], user_classes: Sequence[type[User]]) -> list[str]:
    known = [OVERALL, *set(map(group_of, user_classes))]
    problems = []
    for rule in rules:
        # Requests name groups as well, usually parts of that of their user: `orders_tasks` is not `orders`, misspelt.
        if any(rule.scope == group or rule.scope.startswith(f"{group}_") for group in known):
            continue
        if close := difflib.get_close_matches(rule.scope, known, 1, 0.8):
            problems.append(
                f"threshold for {rule.scope!r}: no user class has that group; did you mean {close[0]!r}? "
                f"If it is the name of a request, use a rule: '{rule}'"
            )
    return problems


def _unknown_stages(rules: Iterable[Rule], profile: LoadProfile, replaced: Sequence[str]) -> list[str]:
    known = [RAMP, *(profile.stage_names or [STEADY])]
    problems = [
        f"profile {profile.name!r}: rule '{rule}' names the stage {stage!r}; "
        + (
            "a run at one rate does not have it, so choose a profile without stages"
            if stage in replaced
            else f"its stages are {', '.join(known)}"
        )
        for rule in rules
        for stage in (rule.stage, rule.compared_with)
        if stage is not None and stage not in known
    ]
    return problems + [
        f"profile {profile.name!r}: rule '{rule}' needs a stage before and a stage after {rule.stage!r}"
        for rule in rules
        if rule.metric.kind is MetricKind.RECOVERY and rule.stage in {RAMP, STEADY, *known[1:2], known[-1]}
    ]


def overrides_of(parser: LocustArgumentParser, options: Namespace, profile: LoadProfile) -> tuple[str, ...]:
    """Return a sentence for each configuration file or environment that overrides load options of the profile.

    Options on the command line are not listed, because they are intended for this run. Call this before
    `set_defaults`.
    """
    found, by_profile = [], _load_options(profile)
    for source, settings in parser.get_source_to_settings_dict().items():
        kind, _, path = source.partition("|")
        if kind not in {"environment_variables", "config_file"}:
            continue
        overridden = [
            f"{LOAD_OPTIONS[action.dest]} {value} instead of {plain(by_profile[action.dest])}"
            for action, value in settings.values()
            if action is not None
            and action.dest in by_profile
            and getattr(options, action.dest) != by_profile[action.dest]
        ]
        if overridden:
            found.append(f"{path or 'the environment'} overrides profile {profile.name!r}: {', '.join(overridden)}")
    return tuple(found)


def _load_options(profile: LoadProfile) -> dict[str, float]:
    """Return the profile's values of LOAD_OPTIONS."""
    schedule = profile.arrivals()
    first = closed_steps(profile)[0]
    users = first.users if schedule is None else max(profile.users, math.ceil(schedule.peak_rate * POOL_S))
    # In an open model, all users must exist when the arrivals start.
    spawn_rate = first.spawn_rate if schedule is None else float(users)
    return {"num_users": users, "spawn_rate": spawn_rate, "run_time": max(1, round(profile.run_time_s))}


def set_defaults(parser: LocustArgumentParser, profile: LoadProfile) -> None:
    """Set Locust's defaults from the profile. Options from all other sources take precedence."""
    parser.set_defaults(
        **_load_options(profile),
        open_model=profile.arrivals() is not None,
        stop_timeout=STOP_TIMEOUT_S,
        profile=profile.name,
        # If a worker is lost, the others run its users.
        enable_rebalancing=True,
    )
    if host := os.environ.get("TARGET_HOST"):
        parser.set_defaults(host=host)


def set_weights(profile: LoadProfile, user_classes: Sequence[type[User]], options: Namespace) -> None:
    """Set the weight of each class from the profile. A class with weight 0 does not run.

    A class that is named on the command line always runs. On a worker, every class keeps a weight above 0: the master
    can run another profile, and it decides which classes get users.
    """
    if not profile.weight_config:
        return
    named = set(getattr(options, "user_classes", None) or ())
    for user in user_classes:
        weight = profile.weight_config.get(user.__name__, 0)
        keep = options.worker or user.__name__ in named
        user.weight = max(weight, 1) if keep else weight
