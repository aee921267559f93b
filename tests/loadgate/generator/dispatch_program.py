"""Dispatch users in a process of its own, because Locust patches Python. Print what happens as JSON."""

from __future__ import annotations

import json

from locust import User
from locust.runners import WorkerNode

from loadgate.generator.dispatch import Dispatchers

changes = 0


def note_change() -> None:
    global changes  # noqa: PLW0603 - a program of a test
    changes += 1


def main() -> None:
    admitted = {"one", "two"}
    dispatchers = Dispatchers(note_change, lambda: None)
    dispatchers.admits = admitted.__contains__
    dispatcher = dispatchers([WorkerNode("one"), WorkerNode("two")], [User])
    found: list[tuple[str, int, dict[str, int]]] = []

    def dispatch(what: str, users: int) -> None:
        dispatcher.new_dispatch(users, 1000)
        last = list(dispatcher)[-1]
        assert not dispatcher.dispatch_in_progress
        found.append((what, changes, {worker: sum(counts.values()) for worker, counts in last.items()}))

    dispatch("first, without users", 0)
    dispatch("ramp", 6)
    dispatcher.add_worker(WorkerNode("three"))
    dispatch("a stranger connects", 6)
    dispatcher.remove_worker(WorkerNode("three"))
    dispatch("the stranger leaves", 6)
    admitted.add("three")
    dispatchers.add_worker(WorkerNode("three"))
    dispatchers.add_worker(WorkerNode("three"))
    dispatch("it is admitted, twice", 6)
    dispatcher.remove_worker(WorkerNode("one"))
    dispatch("one is lost", 6)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
