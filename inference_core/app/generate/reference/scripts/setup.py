"""Install this service into .venv, by `uv.lock` if there is one. pip installs uv first, into .local."""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = ROOT / ".venv" / ".installed"
TOOLS = ROOT / ".local" / "uv"
IMAGE = ROOT / ".local" / "image"
UV = "uv>=0.13,<0.14"
# Where pip finds packages, and the variables of uv for it.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def run(*command: str | Path, **variables: str) -> str:
    done = subprocess.run(command, cwd=ROOT, env=os.environ | variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"setup: {Path(command[0]).name} failed; its message is above. Fix that and repeat the command.")
    return done.stdout


def uv() -> Path:
    """Return the uv of the PATH, else that of this project, which is installed on first use."""
    if found := shutil.which("uv"):
        return Path(found)
    own = TOOLS / "bin" / "uv"
    if not own.exists():
        print("setup: installing uv", flush=True)
        venv.create(TOOLS, with_pip=True, clear=True)
        run(TOOLS / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "-qq", UV)
    return own


def sources_of_pip() -> dict[str, str]:
    """Return the variables that make uv use the package indexes of pip, which companies configure for pip only."""
    pip = TOOLS / "bin" / "python"
    if not pip.exists():
        return {}
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # as pip does
    for line in run(pip, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2].strip("'")
        if option in UV_VARIABLES and UV_VARIABLES[option] not in os.environ:
            separator = "," if option == "find-links" else " "
            variables[UV_VARIABLES[option]] = separator.join(str(ast.literal_eval(value)).split())
    return variables


def fingerprint(groups: list[str]) -> str:
    lock = ROOT / "uv.lock"
    made_of = (
        sys.version,
        str(ROOT),
        groups,
        (ROOT / "pyproject.toml").read_text(),
        lock.exists() and lock.read_text(),
    )
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def install(groups: list[str]) -> None:
    if STAMP.exists() and STAMP.read_text() in {fingerprint(groups), fingerprint(["perf", "dev"])}:
        return
    STAMP.unlink(missing_ok=True)
    command = [uv(), "sync", "--quiet", "--python", sys.executable]
    print("setup: installing the dependencies", flush=True)
    run(*command, *(f"--group={group}" for group in groups), **sources_of_pip())
    STAMP.write_text(fingerprint(groups))
    print("setup: done", flush=True)


def collect_image() -> None:
    """Write the locked dependencies, and wheels of those that are folders, into .local/image for the Dockerfile."""
    shutil.rmtree(IMAGE, ignore_errors=True)
    IMAGE.mkdir(parents=True)
    locked = ["--quiet", "--frozen", "--no-default-groups", "--no-emit-local"]
    run(uv(), "export", *locked, "--output-file", IMAGE / "requirements.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for source in project["tool"]["uv"].get("sources", {}).values():
        if "path" in source:
            run(uv(), "build", "--quiet", "--wheel", "--out-dir", IMAGE, ROOT / source["path"], **sources_of_pip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-only", action="store_true", help="leave out what only development needs")
    parser.add_argument("--image", action="store_true", help="collect what the Dockerfile needs")
    options = parser.parse_args()
    try:
        if options.image:
            collect_image()
        else:
            install(["perf"] if options.run_only else ["perf", "dev"])
    except KeyboardInterrupt:
        sys.exit("\nsetup: interrupted; run it again to continue")


if __name__ == "__main__":
    main()
