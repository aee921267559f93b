"""Test a deployment whose hosts are replaced, killed and cut off one after the other, under a small load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import wait_until
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.topology.load import Load, Step
from tests.support.topology.world import APIS, CLIENT, MASTER, WORKERS, World, running_world

pytestmark = [pytest.mark.full, pytest.mark.process, pytest.mark.timeout(900)]

# docs/reliability.md
LOGINS_WITHIN_S = 15.0
WORKERS_WITHIN_S = 40.0
TRIES = 3


@pytest.fixture
def world() -> Iterator[World]:
    try:
        with running_world() as world:
            yield world
    except ServerUnavailableError as error:
        skip_or_fail(error)


def replace_apis(world: World, load: Load) -> None:
    for api in APIS:
        world.replace_api(api)


def kill_worker(world: World, load: Load) -> None:
    wait_until(lambda: world.is_busy(WORKERS[0]), what="a task to interrupt")
    world.kill(WORKERS[0])
    wait_for_workers(world, 1)
    load.wait_for(30)
    world.start_worker(WORKERS[0])
    wait_for_workers(world, 2)


def cut_worker_off(world: World, load: Load) -> None:
    wait_until(lambda: world.is_busy(WORKERS[1]), what="a task to interrupt")
    world.hosts.cut_off(WORKERS[1])
    wait_for_workers(world, 1)
    load.wait_for(15)
    world.hosts.connect(WORKERS[1])
    wait_for_workers(world, 2)


def kill_master(world: World, load: Load) -> None:
    load.wait_for(10)
    world.kill(MASTER)
    wait_for_workers(world, 0)
    wait_for_workers(world, 2)


def wait_for_workers(world: World, number: int) -> None:
    wait_until(
        lambda: world.active_workers() == number, within_s=WORKERS_WITHIN_S, every_s=0.2, what=f"{number} workers"
    )


def undisturbed(world: World, load: Load, name: str, happens: Callable[[World, Load], None]) -> Step:
    """Repeat a step in which something was refused or failed by a time limit, as on a machine that others use."""
    for _ in range(TRIES):
        with load.step(name) as step:
            happens(world, load)
        if not step.refused and not step.unsuccessful:
            break
    assert not step.refused, step.refused
    assert not step.unsuccessful, step.unsuccessful
    return step


def test_the_loss_of_a_host_costs_no_more_than_the_page_says(world: World) -> None:
    load = Load(world.url)
    kill_s: list[float] = []

    def kill_api(world: World, load: Load) -> None:
        load.wait_for(10)
        kill_s[:] = [time.monotonic()]
        world.kill(APIS[0])
        kill_s.append(time.monotonic())
        load.wait_for(30)
        world.start_api(APIS[0])

    with load.running(lambda: world.hosts.enter(CLIENT)):
        steady = undisturbed(world, load, "steady", lambda world, load: load.wait_for(10))
        replaced = undisturbed(world, load, "both APIs replaced", replace_apis)
        api_killed = undisturbed(world, load, "API killed", kill_api)
        worker_killed = undisturbed(world, load, "worker killed", kill_worker)
        cut_off = undisturbed(world, load, "worker cut off", cut_worker_off)
        with load.step("Redis master killed") as failover:
            kill_master(world, load)
    print(f"\n{load.table()}")

    for step in (steady, replaced, worker_killed, cut_off, failover):
        assert not step.failed, step
    # The proxy does not repeat a request that changes something.
    in_flight = api_killed.in_flight(*kill_s)
    for failed in api_killed.failed:
        assert failed in in_flight, failed
        assert (failed.method, failed.status) in {("POST", 0), ("POST", 502)}, failed
    assert all(refusal.said.startswith("application/") for refusal in failover.refused), failover.refused
    assert not failover.unsuccessful, failover.unsuccessful
    assert failover.without_login_s < LOGINS_WITHIN_S
