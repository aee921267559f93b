"""The plan of a run, read from its profile and from Locust's command line or web form."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from itertools import chain, islice, repeat

from locust import FastHttpUser, HttpUser, User
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from loadgate.credentials import without_credentials
from loadgate.generator.groups import group_of
from loadgate.generator.suite import Choice
from loadgate.generator.suite_files import suite_hash
from loadgate.run.plan import Plan
from loadgate.shape.arrivals import ArrivalSchedule
from loadgate.shape.stages import Step, closed_steps, settling
from loadgate.shape.weighted import weighted_order
from loadgate.units import compact_duration, count

MAX_USERS = 10_000_000
"""More users than any generator can run. With much larger numbers, Locust fails during the run."""


def make_plan(choice: Choice, environment: Environment, *, timed_by_gate: bool) -> Plan:
    """Return the plan of a run that starts now. `timed_by_gate` means that the gate, not Locust, ends the run.

    A LoadTestShape of the suite decides the number of users and the end of the run. A run time that was given
    explicitly can end the run earlier.

    Raises:
        RuntimeError: Locust has no options or no runner yet.
    """
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None:
        raise RuntimeError("Locust has not been set up")
    profile = choice.profile
    shape = environment.shape_class
    by_options = shape is None or shape.use_common_options
    run_time_s = options.run_time if shape is None or (timed_by_gate and "run_time" in choice.given) else None
    return Plan(
        profile=profile,
        rules=choice.rules,
        host=without_credentials(", ".join(hosts_under_test(environment, classes_with_users(choice, environment)))),
        users=options.num_users if by_options else None,
        spawn_rate=options.spawn_rate if by_options else None,
        run_time_s=run_time_s,
        timed_by_gate=timed_by_gate,
        stop_timeout_s=environment.stop_timeout,
        processes=runner.worker_count if isinstance(runner, MasterRunner) else 1,
        user_classes={user.__name__: user.weight for user in environment.user_classes},
        steps=_steps(choice, options.num_users) if shape is None else (),
        arrivals=_arrivals(choice, options.settle) if options.open_model else None,
        seed=options.seed,
        fewer_users=_fewer_users(choice, environment),
        groups_without_users=_groups_without_users(choice, environment),
        remarks=choice.overrides,
        request_types=choice.request_types,
        suite_hash=suite_hash(environment.parsed_locustfiles or ()),
    )


def classes_with_users(choice: Choice, environment: Environment) -> list[type[User]]:
    """Return the user classes that get at least one user. With few users, not every class gets one."""
    options = environment.parsed_options
    everyone = options is not None and options.equal_weights
    running = [user for user in environment.user_classes if everyone or user.weight > 0 or user.fixed_count > 0]
    if options is None or options.num_users is None or environment.shape_class is not None:
        return running
    fixed = chain.from_iterable(repeat(user.__name__, user.fixed_count) for user in running)
    weights = ((user.__name__, 1 if everyone else user.weight) for user in running if not user.fixed_count)
    users = most_users(choice, environment)
    enough = len(running) + sum(user.fixed_count for user in running)
    chosen = set(islice(chain(fixed, weighted_order(weights)), min(users, enough)))
    return [user for user in running if user.__name__ in chosen]


def most_users(choice: Choice, environment: Environment) -> int:
    """Return the largest number of users that the plan has at once. 0 if only a LoadTestShape knows it."""
    options = environment.parsed_options
    if options is None or options.num_users is None or environment.shape_class is not None:
        return 0
    return max(int(options.num_users), *(step.users for step in _steps(choice, options.num_users)[1:]), 0)


def _arrivals(choice: Choice, settle_s: float | None) -> ArrivalSchedule | None:
    schedule = choice.profile.arrivals()
    return settling(schedule, settle_s) if schedule is not None and settle_s else schedule


def _steps(choice: Choice, users: int | None) -> tuple[Step, ...]:
    steps = closed_steps(choice.profile)
    # A number of users that differs from the profile's replaces all its stages.
    return tuple(steps if users == steps[0].users else steps[:1])


def _fewer_users(choice: Choice, environment: Environment) -> str:
    """Return a clause with the number of users if it is smaller than that of the profile. Otherwise ""."""
    options, users = environment.parsed_options, closed_steps(choice.profile)[0].users
    if options is None or options.num_users is None or options.open_model or environment.shape_class is not None:
        return ""
    return f"{options.num_users} users instead of the profile's {users}" if options.num_users < users else ""


def _groups_without_users(choice: Choice, environment: Environment) -> frozenset[str]:
    """Return the groups without users. Empty unless the run has fewer users or classes than its profile."""
    options = environment.parsed_options
    if not getattr(options, "user_classes", None) and not _fewer_users(choice, environment):
        return frozenset()
    present = {group_of(user) for user in classes_with_users(choice, environment)}
    return frozenset(group_of(user) for user in choice.user_classes) - present


def hosts_under_test(environment: Environment, user_classes: Iterable[type[User]]) -> list[str]:
    """Return the hosts of these user classes: the host of the run or, without one, the hosts of the classes."""
    if environment.host:
        return [environment.host]
    return list(dict.fromkeys(user.host for user in user_classes if user.host))


def needs_host(user_classes: Iterable[type[User]]) -> bool:
    """Return whether one of the classes has an HTTP client but no host."""
    return any(issubclass(user, HttpUser | FastHttpUser) and not user.host for user in user_classes)


def process_name(runner: Runner) -> str:
    """Return the name of this process within its run."""
    if isinstance(runner, WorkerRunner):
        return f"worker {runner.worker_index}"
    return "master" if isinstance(runner, MasterRunner) else "process"


def option_problem(options: Namespace) -> str | None:
    """Return the first wrong option and what it must be. `None` if all are valid."""
    if not 0 <= (options.num_users or 0) <= MAX_USERS:
        return f"--users {options.num_users}: must be from 0 to {count(MAX_USERS)}"
    if options.run_time is not None and options.run_time <= 0:
        # For Locust, 0 means a run without end.
        return f"--run-time {compact_duration(options.run_time)}: must be above 0, such as 30s"
    if options.settle and not options.open_model:
        return "--settle: needs an open model; give a rate, such as --rate 50/s"
    if options.settle and options.run_time and options.settle >= options.run_time:
        settle, run_time = map(compact_duration, (options.settle, options.run_time))
        return f"--settle {settle}: must be shorter than the run time, {run_time}"
    return None
