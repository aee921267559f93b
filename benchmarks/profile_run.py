"""A stretch of a load profile against a stack of its own, for benchmarks that look at the service meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.stack import BIN, ROOT, Stack, clean_environment, running_stack

LOCUSTFILE = ROOT / "tests" / "performance" / "locustfile.py"


@contextmanager
def stack_under_profile(folder: Path, profile: str, run_time_s: int) -> Iterator[tuple[Stack, subprocess.Popen[bytes]]]:
    """A running stack and the load generator, which ends by itself after `run_time_s`; all of it below `folder`."""
    with running_stack(folder, "--port", "0", "--ephemeral") as stack:
        command = [BIN / "locust", "-f", LOCUSTFILE, "--headless", "--host", stack.url, "-t", f"{run_time_s}s"]
        with (folder / "locust.log").open("wb") as log:
            generator = subprocess.Popen(
                command, cwd=folder, env=clean_environment(LOAD_PROFILE=profile), stdout=log, stderr=log
            )
            try:
                yield stack, generator
            finally:
                if generator.poll() is None:
                    generator.terminate()
                generator.wait(60)
