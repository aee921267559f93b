"""Run pytest; run what failed once more, alone; show and count the tests that only failed the first time.

A test that fails and then passes is flaky: its name is printed as a warning. More than two of them fail the run, and so
does every test that fails twice. The arguments are pytest's: python scripts/run_tests.py -n auto tests/service
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

FLAKY_ALLOWED = 2
# So many failures are a defect, and each one that is run alone costs time.
RETRIED_AT_MOST = 20


@dataclass
class Failures:
    """A pytest plugin: the names of the tests that failed, and of the files that could not be collected."""

    names: dict[str, None] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.names[without_group(report.nodeid)] = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.names[report.nodeid] = None


def without_group(nodeid: str) -> str:
    """The name of a test without the group that pytest-xdist appends to it."""
    test, separator, _ = nodeid.rpartition("@")
    return test if separator and nodeid.rfind("@") > nodeid.rfind("]") else nodeid


def passes_alone(name: str) -> bool:
    """Run one test in a process of its own, with none beside it."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", name], check=False).returncode == 0


def main(arguments: list[str]) -> int:
    failures = Failures()
    status = int(pytest.main(arguments, plugins=[failures]))
    if status != pytest.ExitCode.TESTS_FAILED:
        return status
    names = list(failures.names)
    if not names or len(names) > RETRIED_AT_MOST:
        return status

    print(f"\n== {len(names)} failed; each once more, alone", flush=True)
    failing = [name for name in names if not passes_alone(name)]
    flaky = [name for name in names if name not in failing]
    for name in flaky:
        print(f"warning: flaky: failed among the others, passed alone: {name}")
    for name in failing:
        print(f"failed twice: {name}")
    if len(flaky) > FLAKY_ALLOWED:
        print(f"{len(flaky)} tests are flaky; at most {FLAKY_ALLOWED} may be")
    return 1 if failing or len(flaky) > FLAKY_ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
