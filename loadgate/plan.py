"""What a run is about to do, read from its profile and from what Locust made of its command line or web form."""

from __future__ import annotations

from itertools import chain, islice, repeat

from locust import User
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from loadgate.credentials import without_credentials
from loadgate.run_state import Plan
from loadgate.stages import Step, closed_steps
from loadgate.suite import Choice
from loadgate.users import group_of
from loadgate.weighted import weighted_order


def make_plan(choice: Choice, environment: Environment, run_time_s: float | None) -> Plan:
    """Return the plan of a run that starts now; `run_time_s` is given where the gate and not Locust ends the run.

    Raises:
        RuntimeError: Locust has no options or no runner yet.
    """
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None:
        raise RuntimeError("Locust has not been set up")
    profile = choice.profile
    return Plan(
        profile=profile,
        rules=choice.rules,
        host=without_credentials(host_under_test(environment)),
        users=options.num_users,
        spawn_rate=options.spawn_rate,
        run_time_s=options.run_time if run_time_s is None else run_time_s,
        timed_by_gate=run_time_s is not None,
        stop_timeout_s=environment.stop_timeout,
        processes=runner.worker_count if isinstance(runner, MasterRunner) else 1,
        user_classes={user.__name__: user.weight for user in environment.user_classes},
        steps=_steps(choice, options.num_users),
        arrivals=profile.arrivals() if options.open_model else None,
        fewer_users=_fewer_users(choice, environment),
        groups_left_out=_groups_left_out(choice, environment),
    )


def classes_with_users(choice: Choice, environment: Environment) -> list[type[User]]:
    """Return the user classes that get at least one user, which few users are not enough for."""
    options = environment.parsed_options
    everyone = options is not None and options.equal_weights
    running = [user for user in environment.user_classes if everyone or user.weight > 0 or user.fixed_count > 0]
    if options is None or options.num_users is None or environment.shape_class is not None:
        return running
    fixed = chain.from_iterable(repeat(user.__name__, user.fixed_count) for user in running)
    weights = ((user.__name__, 1 if everyone else user.weight) for user in running if not user.fixed_count)
    users = max(options.num_users, *(step.users for step in _steps(choice, options.num_users)[1:]), 0)
    enough = len(running) + sum(user.fixed_count for user in running)
    chosen = set(islice(chain(fixed, weighted_order(weights)), min(users, enough)))
    return [user for user in running if user.__name__ in chosen]


def _steps(choice: Choice, users: int | None) -> tuple[Step, ...]:
    steps = closed_steps(choice.profile)
    # Whoever asks for another number of users does not want the stages'.
    return tuple(steps if users == steps[0].users else steps[:1])


def _fewer_users(choice: Choice, environment: Environment) -> str:
    """Say how many users there are where the run was asked to have fewer than its profile, else nothing."""
    options, users = environment.parsed_options, closed_steps(choice.profile)[0].users
    if options is None or options.num_users is None or options.open_model or environment.shape_class is not None:
        return ""
    return f"{options.num_users} users instead of the profile's {users}" if options.num_users < users else ""


def _groups_left_out(choice: Choice, environment: Environment) -> frozenset[str]:
    """Return the profile's groups that have no user because of what was asked for: few users, or some classes only."""
    options = environment.parsed_options
    if not getattr(options, "user_classes", None) and not _fewer_users(choice, environment):
        return frozenset()
    present = {group_of(user) for user in classes_with_users(choice, environment)}
    return frozenset(group_of(user) for user in choice.user_classes) - present


def host_under_test(environment: Environment) -> str:
    """Return the base URL that is tested, "" when there is none."""
    return environment.host or next((user.host for user in environment.user_classes if user.host), None) or ""


def process_name(runner: Runner) -> str:
    """Return what to call this process beside the others of its run."""
    if isinstance(runner, WorkerRunner):
        return f"worker {runner.worker_index}"
    return "master" if isinstance(runner, MasterRunner) else "process"
