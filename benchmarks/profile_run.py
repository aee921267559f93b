"""Runs a load profile against its own stack, for benchmarks that observe the service meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.stack import BIN, ROOT, Stack, clean_environment, running_stack

LOCUSTFILE = ROOT / "tests" / "performance" / "locustfile.py"


@contextmanager
def stack_under_profile(folder: Path, profile: str, run_time_s: int) -> Iterator[tuple[Stack, subprocess.Popen[bytes]]]:
    """Yield a running stack and a load generator, which stops after `run_time_s`. All files are below `folder`."""
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
