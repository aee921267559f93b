"""Read a Dockerfile: its stages, and their instructions."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """A stage: its base (an image or the name of another stage), its name, and its instructions in their order."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [argument for word, argument in self.instructions if word == keyword]

    def one(self, keyword: str) -> str:
        (argument,) = self.all(keyword)
        return argument

    def variables(self) -> dict[str, str]:
        """Return what the `ENV` instructions set."""
        pairs = [part.partition("=") for argument in self.all("ENV") for part in shlex.split(argument)]
        return {name: value for name, _, value in pairs}

    def labels(self) -> dict[str, str]:
        pairs = [part.partition("=") for argument in self.all("LABEL") for part in shlex.split(argument)]
        return {name: value for name, _, value in pairs}

    def healthcheck(self) -> list[str]:
        """Return the command of the health check, which must be in exec form."""
        command: list[str] = json.loads(self.one("HEALTHCHECK").partition(" CMD ")[2])
        return command

    def command(self) -> list[str]:
        """Return the command, which must be in exec form."""
        command: list[str] = json.loads(self.one("CMD"))
        return command


@dataclass(frozen=True)
class Copy:
    """A `COPY` instruction. Paths of sources are relative to the stage `stage`, or to the context if it is empty."""

    sources: tuple[str, ...]
    target: str
    stage: str

    @classmethod
    def read(cls, argument: str) -> Copy:
        words = argument.split()
        options = [word for word in words if word.startswith("--")]
        *sources, target = [word for word in words if not word.startswith("--")]
        stage = "".join(option.removeprefix("--from=") for option in options)
        return cls(tuple(source.rstrip("/") for source in sources), target, stage)


def read_dockerfile(path: Path) -> list[Stage]:
    """Return the stages. Arguments before the first stage are replaced by their defaults in the names of images."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n", "", "\n".join(lines))
    defaults: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, argument = line.partition(" ")
        argument = " ".join(argument.split()) if word != "HEALTHCHECK" else argument.strip()
        if word == "FROM":
            base, _, name = replaced(argument, defaults).partition(" AS ")
            stages.append(Stage(base, name))
        elif stages:
            stages[-1].instructions.append((word, argument))
        else:
            name, _, default = argument.partition("=")
            defaults[name] = default
    return stages


def replaced(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match[1], match[0]), text)


def kept_by(ignore_file: Path) -> set[str]:
    """Return the paths of the context that a `.dockerignore` keeps, which ignores everything else."""
    lines = [line for line in ignore_file.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    return {line.removeprefix("!") for line in lines if line.startswith("!")}
