"""Assemble the root file system of the image by the steps of `deploy/Dockerfile`, without a container engine.

    python -m tests.support.image_root

The base image needs a registry of images. Its place takes a minimal Debian with the same version of Python, which
debootstrap downloads once into `.local/image`. Everything else is what the instructions say: files are copied, and
commands run as root in the folder of their stage, under bubblewrap.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.dockerfile import Copy, Stage, kept_by, read_dockerfile
from tests.support.stack import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
FOLDER = ROOT / ".local" / "image"
IMAGE = FOLDER / "image"
# The release of Debian that has the Python of the Dockerfile.
SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
INCLUDED = "python3,python3-venv,ca-certificates"
# Where the machine says from where packages are installed.
OF_THE_MACHINE = ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/xdg/pip")


class AssemblyError(Exception):
    """Raised if a step cannot be carried out. The text says which one, and how it ended."""


def base() -> Path:
    """Return the folder with the base, which is created if it is missing."""
    folder = FOLDER / "base"
    if not folder.exists():
        unfinished = FOLDER / "base.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        _run("debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, str(unfinished), MIRROR)
        (unfinished / "usr" / "bin" / "python").symlink_to("python3")
        for cache in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(unfinished / cache)
        unfinished.rename(folder)
    return folder


def assemble(stages: list[Stage]) -> None:
    """Create the folder of each stage. The last one becomes `IMAGE`.

    Raises:
        AssertionError: the base has another Python than the Dockerfile.
        AssemblyError: a step failed.
    """
    found = base()
    for stage in stages:
        assert _run("chroot", str(found), "python", "--version").split()[1].startswith(python_of(stage))
    for stage in stages:
        folder = FOLDER / (stage.name or "image.unfinished")
        shutil.rmtree(folder, ignore_errors=True)
        # Hard links: the steps add files, and change none of the base.
        _run("cp", "--archive", "--link", str(found), str(folder))
        carry_out(stage, folder)
    shutil.rmtree(IMAGE, ignore_errors=True)
    (FOLDER / "image.unfinished").rename(IMAGE)


def python_of(stage: Stage) -> str:
    """Return the version of Python in the name of the base image: `3.13`."""
    match = re.fullmatch(r"python:(\d+\.\d+)-slim.*", stage.base)
    assert match is not None, stage.base
    return match[1]


def carry_out(stage: Stage, folder: Path) -> None:
    """Carry out the instructions of a stage that change its files."""
    working = "/"
    variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    for word, argument in stage.instructions:
        if word == "WORKDIR":
            working = argument
            (folder / working.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "ARG":
            name, _, value = argument.partition("=")
            variables[name] = value
        elif word == "COPY":
            copy(Copy.read(argument), folder / working.lstrip("/"))
        elif word == "RUN":
            _run("bwrap", *sandbox(folder, variables, working), "sh", "-c", argument)


def copy(wanted: Copy, folder: Path) -> None:
    """Copy as `COPY` does: of a folder its content, of the context only what the ignore file keeps."""
    origin = FOLDER / wanted.stage if wanted.stage else ROOT
    if not wanted.stage:
        kept = kept_by(DOCKERFILE.with_name("Dockerfile.dockerignore"))
        assert all(source in kept or source.partition("/")[0] in kept for source in wanted.sources), wanted
    for source in wanted.sources:
        found, target = origin / source.lstrip("/"), folder / wanted.target
        if found.is_dir():
            ignored = None if wanted.stage else shutil.ignore_patterns("__pycache__")
            how = os.link if wanted.stage else shutil.copy2
            shutil.copytree(found, target, symlinks=True, ignore=ignored, copy_function=how, dirs_exist_ok=True)
        else:
            target = target / found.name if wanted.target.endswith("/") else target
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, target)


def sandbox(folder: Path, variables: dict[str, str], working: str) -> list[str]:
    """Return the options with which a command of the build runs: in its folder, with the network of the machine."""
    options = ["--bind", str(folder), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--clearenv"]  # noqa: S108
    for path in filter(os.path.exists, OF_THE_MACHINE):
        options += ["--ro-bind", path, path]
    machine = {name: value for name, value in os.environ.items() if re.match(r"(PIP|UV|HTTPS?)_", name, re.IGNORECASE)}
    for name, value in (machine | variables).items():
        options += ["--setenv", name, value]
    return [*options, "--chdir", working, "--die-with-parent"]


def sizes() -> str:
    """Return the size of all files of the image, and that of what the Dockerfile adds to its base."""
    image_mb, service_mb = (
        int(_run("du", "--summarize", "--bytes", str(folder)).split()[0]) / 1e6 for folder in (IMAGE, IMAGE / "service")
    )
    return f"{image_mb:.0f} MB, of which the service {service_mb:.0f} MB"


def _run(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise AssemblyError(f"{command[0]} ended with {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


def main() -> None:
    """Assemble the image and print its size."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        assemble(read_dockerfile(DOCKERFILE))
    except (AssemblyError, FileNotFoundError) as error:
        sys.exit(f"image: {error}")
    print(f"image: {sizes()}")


if __name__ == "__main__":
    main()
