"""The programs that check the files of `deploy/`, which `scripts/deploy_tools.py` and Debian's packages install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.stack import ROOT

DEPLOY = ROOT / "deploy"
TOOLS = ROOT / ".local" / "deploy-tools" / "bin"


def deploy_tool(name: str) -> Path:
    """Return a program that `scripts/deploy_tools.py` has installed. Without it, skip the test, or fail in CI."""
    found = TOOLS / name
    if not found.exists():
        skip_or_fail(ServerUnavailableError(f"no {name}; install it with: python scripts/deploy_tools.py"))
    return found


def debian_tool(name: str, package: str) -> str:
    """Return a program of a Debian package. Without it, skip the test, or fail in CI."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        skip_or_fail(ServerUnavailableError(f"no {name}; on Debian: apt-get install {package}"))
    return found


def output_of(*command: str | Path, env: dict[str, str] | None = None, code: int = 0) -> str:
    """Return what a program prints. It must end with `code`."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
