"""The `loadgate` command where only the service is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", [["locust", "psutil"], ["psutil"]])
def test_missing_packages_are_one_line(missing: list[str]) -> None:
    hide = f"import sys; sys.modules.update(dict.fromkeys({missing!r}))"
    command = [sys.executable, "-c", f"{hide}; from loadgate.entry import main; main()", "run", "light"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"loadgate: not installed here: {', '.join(missing)}; install with: pip install {' '.join(missing)}\n"
    )
