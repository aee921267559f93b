"""Create `.venv` and install exactly what `poetry.lock` lists, with nothing but Python.

pip brings uv, which installs the rest in a fraction of the time; where uv cannot be used, pip installs it.
Poetry is not needed for this; a `poetry install` afterwards finds everything in place.
With `--run-only` the tools of development are left out: what `make perf` and `make up` need comes sooner.
With `--image` only the service is installed, for deploy/Dockerfile.
Safe to repeat and to interrupt: a stamp is written only after everything is installed.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"
# There while packages are being installed: what an interrupted process leaves is not to be trusted.
UNFINISHED = VENV / ".installing"
UV_FOLDER = ROOT / ".local" / "uv"
UV = UV_FOLDER / "bin" / "uv"

RUN_GROUPS = frozenset({"main", "perf", "embedded"})
ALL_GROUPS = RUN_GROUPS | {"dev", "docs"}
IMAGE_GROUPS = frozenset({"main"})
# Installs the others, and is not installed into `.venv`.
INSTALLER_GROUP = frozenset({"installer"})

# Options of pip that say where packages come from, and the variables by which uv is told the same.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
# Options of pip that change nothing here: versions and hashes are the lock's.
WITHOUT_EFFECT = {
    "break-system-packages",
    "cache-dir",
    "constraint",
    "default-timeout",
    "disable-pip-version-check",
    "no-cache-dir",
    "no-color",
    "no-input",
    "no-warn-script-location",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "retries",
    "root-user-action",
    "timeout",
    "verbose",
}

# The marker of a package that belongs to an extra. It is never true in a list of requirements, so `ALWAYS` replaces it
# for a chosen extra.
EXTRA = re.compile(r"extra == ['\"]([\w-]+)['\"]")
ALWAYS = "python_version >= '3'"


class UvUnusableError(Exception):
    """Why pip has to install the dependencies instead of uv, in a few words."""


def requirements(lock_text: str, groups: frozenset[str] = ALL_GROUPS, extras: frozenset[str] = frozenset()) -> str:
    """The packages that `groups` want of a `poetry.lock` (format 2.1), as pip requirements with hashes, one a line.

    Packages of an extra are wanted if `extras` contains it.
    """
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
        markers = EXTRA.sub(lambda match: ALWAYS if match[1] in extras else match[0], markers)
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
            "setup: pip could not install the dependencies; its message is above. Fix that and repeat the command."
        )


def uv_variables(pip_configuration: str) -> dict[str, str]:
    """The environment variables that make uv take packages from where pip would, by what `pip config list` prints.

    Raises:
        UvUnusableError: if pip is told something that uv cannot be told.
    """
    options: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in pip_configuration.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in options:
            options[section][option] = str(ast.literal_eval(value))
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # as pip does; the hashes say which file is meant
    for option, value in (options["global"] | options["install"] | options[":env:"]).items():
        if option in UV_VARIABLES:
            separator = "," if option == "find-links" else " "
            variables[UV_VARIABLES[option]] = separator.join(value.split())
        elif option not in WITHOUT_EFFECT:
            raise UvUnusableError(f"pip's option '{option}' has no counterpart in uv")
    return variables


def bring_uv(requirement: str) -> None:
    """Install uv for this project alone, unless it is there.

    Raises:
        UvUnusableError: if it cannot be installed, or does not run here.
    """
    wanted = requirement.split(maxsplit=1)[0].removeprefix("uv==")
    if uv_version() == wanted:
        return
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "uv.txt"
        listed.write_text(requirement)
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--upgrade", "--target", UV_FOLDER]
        command = [VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-qq", *options, "-r", listed]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            raise UvUnusableError("uv cannot be installed here")
    if uv_version() != wanted:
        raise UvUnusableError("uv does not run here")


def uv_version() -> str | None:
    """The version of the uv of this project; None where there is none that runs."""
    try:
        shown = subprocess.run([UV, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return shown.stdout.split()[1] if shown.returncode == 0 else None


def uv(variables: Mapping[str, str], *arguments: str) -> None:
    """Let uv install into `.venv`.

    Raises:
        UvUnusableError: if it fails.
    """
    command = [UV, "pip", "install", "--quiet", "--python", VENV_PYTHON, "--link-mode=copy", *arguments]
    result = subprocess.run(command, env=os.environ | variables, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        said = " ".join(result.stderr.split()) or f"exit code {result.returncode}"
        raise UvUnusableError(f"uv failed ({said[:200]})")


def install_with_uv(requirement: str, listed: Path) -> None:
    """Install the listed packages and the project.

    Raises:
        UvUnusableError: if that has to be done by pip; what was installed by then does not disturb it.
    """
    shown = subprocess.run([VENV_PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    variables = uv_variables(shown.stdout)
    bring_uv(requirement)
    uv(variables, "--no-deps", "--require-hashes", "--compile-bytecode", "--requirement", str(listed))
    uv(variables, "--no-deps", "--editable", str(ROOT))


def known_extras() -> frozenset[str]:
    """The extras of the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return frozenset(project["optional-dependencies"])


def install_packages(groups: frozenset[str], extras: frozenset[str]) -> None:
    lock = (ROOT / "poetry.lock").read_text()
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text(requirements(lock, groups, extras))
        try:
            install_with_uv(requirements(lock, INSTALLER_GROUP), listed)
        except UvUnusableError as reason:
            print(f"setup: {reason}; pip installs instead, which takes longer", flush=True)
            pip("--no-deps", "--require-hashes", "--requirement", str(listed))
            pip("--no-deps", "--editable", str(ROOT))


def install(groups: frozenset[str], extras: frozenset[str] = frozenset()) -> None:
    wanted = fingerprint(groups | extras)
    if STAMP.exists() and STAMP.read_text() in {wanted, fingerprint(ALL_GROUPS)}:
        return
    STAMP.unlink(missing_ok=True)
    if UNFINISHED.exists() or not usable(VENV_PYTHON):
        print(f"setup: creating .venv with Python {sys.version.split()[0]}", flush=True)
        try:
            venv.create(VENV, with_pip=True, clear=True)
        except subprocess.CalledProcessError:
            sys.exit("setup: this Python cannot create environments; on Debian: apt-get install python3-venv")
    print("setup: installing the locked dependencies", flush=True)
    UNFINISHED.touch()
    install_packages(groups, extras)
    UNFINISHED.unlink()
    STAMP.write_text(wanted)
    print("setup: done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--run-only", action="store_true", help="leave out what only development needs")
    kind.add_argument("--image", action="store_true", help="install only the service")
    parser.add_argument("--extras", default="", help="extras of the project, separated by blanks", metavar="NAMES")
    chosen = parser.parse_args()
    groups = RUN_GROUPS if chosen.run_only else IMAGE_GROUPS if chosen.image else ALL_GROUPS
    extras = frozenset(chosen.extras.split())
    if unknown := ", ".join(sorted(extras - known_extras())):
        sys.exit(f"setup: there is no extra {unknown}; the extras are {', '.join(sorted(known_extras()))}")
    os.environ["PYTHONPATH"] = ""
    with (ROOT / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            install(groups, extras)
        except KeyboardInterrupt:
            sys.exit("\nsetup: interrupted; run it again to go on")


if __name__ == "__main__":
    main()
