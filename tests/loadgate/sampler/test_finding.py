"""Test which processes belong to which part of the target."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from loadgate.sampler.configuration import Configuration, ProcessSource
from loadgate.sampler.processes import finding
from loadgate.sampler.processes.finding import Finder, Found
from loadgate.sampler.processes.system import Listening
from tests.loadgate.sampler.fake_system import FakeSystem

SAMPLER, LOCUST, SHELL = 90, 91, 92


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    """A service with an API, a worker with a pool, and the load generator, all started from one shell."""
    monkeypatch.setattr(finding, "MIN_INTERVAL_S", 0)
    monkeypatch.setattr(finding, "MAX_SHARE", math.inf)
    made = FakeSystem()
    made.add(1, 0, "init")
    made.add(SHELL, 1, "bash")
    made.add(LOCUST, SHELL, "locust")
    made.add(SAMPLER, LOCUST, "sampler")
    made.add(10, SHELL, "inference-core up")
    made.add(11, 10, "python -m uvicorn main:app")
    made.add(12, 11, "python multiprocessing.spawn")
    made.add(20, 10, "python -m celery worker")
    made.add(21, 20, "python -m celery worker")
    made.add(30, 10, "valkey-server")
    return made


def found(system: FakeSystem, *sources: ProcessSource, pid: int | None = 10, port: int | None = None) -> Found:
    return Finder(Configuration(pid=pid, port=port, processes=sources), system, SAMPLER).find()


def members(result: Found, part: str) -> set[int]:
    return set(result.parts[part])


def test_the_whole_target_is_the_tree_of_the_managed_process(system: FakeSystem) -> None:
    assert members(found(system, ProcessSource("target")), "target") == {10, 11, 12, 20, 21, 30}


def test_a_command_is_searched_in_the_tree_and_includes_children(system: FakeSystem) -> None:
    system.add(40, 1, "python -m uvicorn other:app")
    result = found(system, ProcessSource("api", command="uvicorn"), ProcessSource("worker", command="celery"))
    assert members(result, "api") == {11, 12}
    assert members(result, "worker") == {20, 21}
    assert result.problems == {}


def test_children_that_match_another_entry_belong_to_that_entry(system: FakeSystem) -> None:
    result = found(system, ProcessSource("all", command="up"), ProcessSource("redis", command="valkey"))
    assert members(result, "redis") == {30}
    assert members(result, "all") == {10, 11, 12, 20, 21}


def test_a_command_that_matches_nothing_is_a_problem(system: FakeSystem) -> None:
    result = found(system, ProcessSource("worker", command="sidekiq"))
    assert members(result, "worker") == set()
    problem = "its command matches none of the target's processes (6 searched)"
    assert result.problems == {"worker": f"{problem}; correct command, or set port or pid_file instead"}


def test_a_part_that_starts_late_is_found_late(system: FakeSystem) -> None:
    finder = Finder(Configuration(pid=10, processes=(ProcessSource("mail", command="mailer"),)), system, SAMPLER)
    assert members(finder.find(), "mail") == set()
    system.add(50, 10, "mailer")
    assert members(finder.find(), "mail") == {50}


def test_a_process_whose_parent_has_ended_stays_in_the_session_of_the_target(system: FakeSystem) -> None:
    system.add(50, 1, "daemon", session=10)
    assert 50 in members(found(system, ProcessSource("target")), "target")


def test_the_target_has_ended_and_its_id_is_reused(system: FakeSystem) -> None:
    finder = Finder(Configuration(pid=10, processes=(ProcessSource("target"),)), system, SAMPLER)
    assert members(finder.find(), "target")
    system.table = {1: system.table[1], SAMPLER: system.table[SAMPLER]}
    system.add(10, 1, "something else", started=99)
    result = finder.find()
    assert members(result, "target") == set()
    assert result.problems == {"target": "the process of the target has ended"}


def test_a_port_leads_to_the_supervisor_of_the_service(system: FakeSystem) -> None:
    system.ports[8000] = Listening(frozenset({11}))
    result = found(system, ProcessSource("worker", command="celery"), pid=None, port=8000)
    assert members(result, "worker") == {20, 21}


@pytest.mark.parametrize("stop", ["terminal", "user", "cgroup", "init"])
def test_shells_other_users_and_service_managers_are_not_part_of_the_target(system: FakeSystem, stop: str) -> None:
    system.add(10, 1, "supervisor")
    if stop == "terminal":
        system.change(10, has_terminal=True)
    elif stop == "user":
        system.change(10, user=0)
    elif stop == "cgroup":
        system.cgroups[10] = "/user.slice"
    else:
        system.add(11, 1, "python -m uvicorn main:app")
    system.ports[8000] = Listening(frozenset({11}))
    assert members(found(system, ProcessSource("target"), pid=None, port=8000), "target") == {11, 12}


def test_an_id_that_is_reused_during_the_scan_makes_no_endless_search(system: FakeSystem) -> None:
    system.add(10, 11, "a new process with the id of the supervisor")
    system.ports[8000] = Listening(frozenset({11}))
    assert {10, 11, 12} <= members(found(system, ProcessSource("target"), pid=None, port=8000), "target")


def test_the_load_generator_is_not_part_of_the_target(system: FakeSystem) -> None:
    system.add(60, LOCUST, "server of a test")
    system.ports[8000] = Listening(frozenset({60}))
    assert members(found(system, ProcessSource("target"), pid=None, port=8000), "target") == {60}
    system.ports[8000] = Listening(frozenset({LOCUST}))
    assert SAMPLER not in members(found(system, ProcessSource("target"), pid=None, port=8000), "target")


def test_a_port_of_a_part_is_found_outside_of_the_tree(system: FakeSystem) -> None:
    system.add(70, 1, "postgres")
    system.ports[5432] = Listening(frozenset({70}))
    assert members(found(system, ProcessSource("database", port=5432)), "database") == {70}


@pytest.mark.parametrize(
    ("listening", "problem"),
    [
        (Listening(frozenset()), "no process of this machine listens on port 5432"),
        (Listening(frozenset(), is_hidden=True), "belongs to another user or runs in a container"),
    ],
)
def test_a_port_without_a_readable_process_is_a_problem(system: FakeSystem, listening: Listening, problem: str) -> None:
    system.ports[5432] = listening
    assert problem in found(system, ProcessSource("database", port=5432)).problems["database"]


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("/usr/bin/docker-proxy -proto tcp", "docker-proxy"),
        ("sshd: me@pts/1", "sshd"),
        ("kubectl port-forward", "kubectl"),
    ],
)
def test_a_program_that_forwards_a_port_is_not_the_target(system: FakeSystem, line: str, program: str) -> None:
    system.add(80, 1, line)
    system.ports[8000] = Listening(frozenset({80}))
    result = found(system, ProcessSource("target"), pid=None, port=8000)
    assert members(result, "target") == set()
    assert result.problems == {"target": f"{program} forwards port 8000 to a process that is not visible from here"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("30\n", ""),
        ("30 \nmore", ""),
        ("31", "redis.pid has ended"),
        ("", "contains no process id"),
        ("-30", "contains no process id"),
        ("99999999999999999999", "contains no process id"),
        (None, "contains no process id"),
    ],
)
def test_a_file_contains_the_process_id(system: FakeSystem, content: str | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "redis.pid"
    if content is not None:
        path.write_text(content)
    result = found(system, ProcessSource("redis", pid_file=str(path)))
    assert members(result, "redis") == (set() if problem else {30})
    assert problem in result.problems.get("redis", "")
