"""Create `.venv` and install exactly what `poetry.lock` lists, with pip and the standard library alone.

Poetry is not needed for this; a `poetry install` afterwards finds everything in place.
With `--run-only` the tools of development are left out: what `make perf` and `make up` need comes sooner.
Safe to repeat and to interrupt: a stamp is written only after everything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"


RUN_GROUPS = frozenset({"main", "perf", "embedded"})
ALL_GROUPS = RUN_GROUPS | {"dev"}


def requirements(lock_text: str, groups: frozenset[str] = ALL_GROUPS) -> str:
    """The packages that `groups` want of a `poetry.lock` (format 2.1), as pip requirements with hashes, one a line."""
    lines = []
    for package in tomllib.loads(lock_text)["package"]:
        wanting = groups.intersection(package["groups"])
        if not wanting:
            continue
        markers = package.get("markers", "")
        if isinstance(markers, dict):
            # By group; a group that is not named wants the package everywhere, whatever the others say.
            alternatives = dict.fromkeys(marker for group, marker in markers.items() if group in wanting)
            markers = "" if wanting - set(markers) else " or ".join(f"({marker})" for marker in alternatives)
        hashes = " ".join(f"--hash={file['hash']}" for file in package["files"])
        condition = f" ; {markers}" if markers else ""
        lines.append(f"{package['name']}=={package['version']}{condition} {hashes}")
    return "\n".join(lines) + "\n"


def fingerprint(groups: frozenset[str]) -> str:
    """What the environment was made from: this Python, this folder, the lock, the project's own table, the groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "poetry.lock").read_text()
    return hashlib.sha256(repr((sys.version, str(ROOT), lock, project, sorted(groups))).encode()).hexdigest()


def usable(python: Path) -> bool:
    if not python.exists():
        return False
    check = "import pip, sys; raise SystemExit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0


def pip(*arguments: str) -> None:
    command = [VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-qq", *arguments]
    result = subprocess.run(command, check=False)
    if result.returncode != 0:
        sys.exit(
            "setup: pip could not install the dependencies; its message is above. Mend that and repeat the command."
        )


def install(groups: frozenset[str]) -> None:
    if STAMP.exists() and STAMP.read_text() in {fingerprint(groups), fingerprint(ALL_GROUPS)}:
        return
    STAMP.unlink(missing_ok=True)
    if not usable(VENV_PYTHON):
        print(f"setup: creating .venv with Python {sys.version.split()[0]}", flush=True)
        try:
            venv.create(VENV, with_pip=True, clear=True)
        except subprocess.CalledProcessError:
            sys.exit("setup: this Python cannot create environments; on Debian: apt-get install python3-venv")
    print("setup: installing the locked dependencies (about half a minute)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text(requirements((ROOT / "poetry.lock").read_text(), groups))
        pip("--no-deps", "--require-hashes", "--requirement", str(listed))
    pip("--no-deps", "--editable", str(ROOT))
    STAMP.write_text(fingerprint(groups))
    print("setup: done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run-only", action="store_true", help="leave out what only development needs")
    groups = RUN_GROUPS if parser.parse_args().run_only else ALL_GROUPS
    os.environ["PYTHONPATH"] = ""
    with (ROOT / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            install(groups)
        except KeyboardInterrupt:
            sys.exit("\nsetup: interrupted; run it again to go on")


if __name__ == "__main__":
    main()
