"""The checks of a worker before it generates load: can it reach the target, and may it open enough connections?"""

from __future__ import annotations

from collections.abc import Sequence

from loadgate.checks import reachable
from loadgate.generator.descriptors import RESERVE, open_files_limit
from loadgate.units import count

OTHER_FILES = 64
"""Files that a process opens in addition to the connections of its users: logs, modules, messages."""


def worker_problems(hosts: Sequence[str], users: int) -> list[str]:
    """Return one line for each reason why this process cannot put the hosts under load with this number of users.

    `hosts` are base URLs. Each user needs at least one connection. 0 users means that the number is unknown.
    """
    problems = [result.line() for host in hosts if not (result := reachable(host)).ok]
    limit, needed = open_files_limit(), users + OTHER_FILES + RESERVE
    if users and limit is not None and limit < needed:
        problems.append(
            f"open files: its limit is {count(limit)}, but {count(users)} users need {count(needed)}; raise the limit "
            f"with: ulimit -n {needed}"
        )
    return problems
