"""What a run is about to do, read from its profile and from what Locust made of its command line or web form."""

from __future__ import annotations

from locust import User
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from loadgate.credentials import without_credentials
from loadgate.run_state import Plan
from loadgate.stages import closed_steps
from loadgate.suite import Choice


def make_plan(choice: Choice, environment: Environment, run_time_s: float | None) -> Plan:
    """Return the plan of a run that starts now; `run_time_s` is given where the gate and not Locust ends the run.

    Raises:
        RuntimeError: Locust has no options or no runner yet.
    """
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None:
        raise RuntimeError("Locust has not been set up")
    profile = choice.profile
    steps = closed_steps(profile)
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
        # Whoever asks for another number of users does not want the stages'.
        steps=tuple(steps if options.num_users == steps[0].users else steps[:1]),
        arrivals=profile.arrivals() if options.open_model else None,
    )


def running_classes(environment: Environment) -> list[type[User]]:
    """Return the user classes that get users."""
    options = environment.parsed_options
    everyone = options is not None and options.equal_weights
    return [user for user in environment.user_classes if everyone or user.weight > 0 or user.fixed_count > 0]


def host_under_test(environment: Environment) -> str:
    """Return the base URL that is tested, "" when there is none."""
    return environment.host or next((user.host for user in environment.user_classes if user.host), None) or ""


def process_name(runner: Runner) -> str:
    """Return what to call this process beside the others of its run."""
    if isinstance(runner, WorkerRunner):
        return f"worker {runner.worker_index}"
    return "master" if isinstance(runner, MasterRunner) else "process"
