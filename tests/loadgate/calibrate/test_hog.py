"""Test the process that uses a core: simultaneous comparisons share it, and it ends with the last one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from benchmarks.calibrate.ab.hog import Hog


def children() -> set[str]:
    """The ids of the busy processes that this process has started."""
    busy = set()
    for entry in Path("/proc").iterdir():
        try:
            is_child = f"\nPPid:\t{os.getpid()}\n" in (entry / "status").read_text()
            if is_child and b"while True: pass" in (entry / "cmdline").read_bytes():
                busy.add(entry.name)
        except OSError:
            continue  # not a process, or it has ended
    return busy


def wait_for(number: int) -> set[str]:
    """Wait until there is this number of busy processes."""
    for _ in range(1000):
        if len(found := children()) == number:
            return found
        threading.Event().wait(0.02)
    pytest.fail(f"there are {len(found)} busy processes instead of {number}")


@pytest.mark.process
def test_comparisons_share_one_process_until_the_last_one_ends() -> None:
    hog = Hog()
    with hog.wanted(0.0):
        first = wait_for(1)
        with hog.wanted(0.0):
            assert wait_for(1) == first
        assert wait_for(1) == first
    assert not children()


def test_a_comparison_that_ends_before_its_middle_uses_no_core() -> None:
    with Hog().wanted(3600.0):
        assert not children()
    assert not children()
