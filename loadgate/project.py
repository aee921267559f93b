"""What a project declares about its load tests under [tool.loadgate] in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from loadgate.checks import Check, HttpCheck, TcpCheck
from loadgate.errors import RequestError

_Text = Annotated[str, StringConstraints(min_length=1)]


class ProjectError(RequestError):
    """The project's settings cannot be used; the message is one line for the user."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


RUN_FOLDER = "{run_folder}"


class TargetSettings(_Table):
    """`[tool.loadgate.target]`: the service that `loadgate run` starts when no host is given.

    Exactly one of `ready_url` (polled until it answers 2xx) and `ready_line` (a regular expression searched in each
    line of the target's output; its first group, or a group named `url`, is the base URL) says when it is ready.
    `{run_folder}` in the command or in a value of `env` stands for the folder of the run, for logs to be kept there.
    """

    command: Annotated[tuple[_Text, ...], Field(min_length=1)]
    ready_url: _Text | None = None
    ready_line: _Text | None = None
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds until the target must be ready."""
    stop_timeout: Annotated[float, Field(ge=0)] = 10.0
    """Seconds between SIGTERM and SIGKILL."""
    env: dict[str, str] = Field(default_factory=dict)

    def within(self, run_folder: Path) -> TargetSettings:
        """Return the settings for one run."""

        def filled(text: str) -> str:
            return text.replace(RUN_FOLDER, str(run_folder.resolve()))

        env = {name: filled(value) for name, value in self.env.items()}
        return self.model_copy(update={"command": tuple(map(filled, self.command)), "env": env})

    @model_validator(mode="after")
    def _one_way_to_be_ready(self) -> TargetSettings:
        if (self.ready_url is None) == (self.ready_line is None):
            msg = "give exactly one of ready_url and ready_line"
            raise ValueError(msg)
        return self


class CheckSettings(_Table):
    """One entry of `[[tool.loadgate.doctor]]`: something that must be there before load is made.

    `kind = "http-json"`: GET `where` (a path of the host under test, or a whole URL); the answer must have status
    `status` and, for each item of `expect`, the JSON value at that dotted path. An expectation is a value, or text
    such as `">= 1"`. `kind = "tcp"`: `where` is `address:port`. `start` is the command that brings it up.
    """

    name: _Text
    kind: Literal["http-json", "tcp"]
    where: _Text
    expect: dict[str, Any] = Field(default_factory=dict)
    status: int = 200
    start: str = ""
    needs: tuple[_Text, ...] = ()
    """Names of checks without which this one cannot tell anything; when one of them fails, this one is not asked."""
    preflight: bool = True
    """Whether every run is refused when the check fails; if not, only one with users of a class that names the check
    in its `preflight`."""

    def to_check(self) -> Check:
        """Return the check itself, ready to be carried out."""
        if self.kind == "tcp":
            return TcpCheck(name=self.name, address=self.where, start=self.start, needs=self.needs)
        return HttpCheck(
            name=self.name,
            path=self.where,
            status=self.status,
            expect=self.expect,
            start=self.start,
            needs=self.needs,
        )


class Project(_Table):
    """The table `[tool.loadgate]`, with the folder that relative paths are relative to."""

    root: Path
    locustfile: str | None = None
    reports: str = "reports/performance"
    host: str = "http://localhost:8000"
    """What `loadgate doctor` looks at when it is given no host."""
    target: TargetSettings | None = None
    doctor: tuple[CheckSettings, ...] = ()

    @property
    def reports_path(self) -> Path:
        """The folder of all reports, absolute."""
        return self.root / self.reports

    def preflight_checks(self) -> list[Check]:
        """Return the checks that must hold before load is made."""
        return [check.to_check() for check in self.doctor if check.preflight]


def load_project(start: Path | None = None) -> Project:
    """Read the nearest pyproject.toml with a [tool.loadgate] table, from `start` (default: here) upwards.

    Without one the project is the folder itself with no settings.

    Raises:
        ProjectError: the file is not TOML, or a setting is wrong.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if not path.is_file():
            continue
        table = _loadgate_table(path)
        if table is not None:
            return _validated(path, table)
    return Project(root=here)


def _loadgate_table(path: Path) -> dict[str, Any] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: not valid TOML: {error}") from error
    table = document.get("tool", {}).get("loadgate")
    if table is not None and not isinstance(table, dict):
        raise ProjectError(f"{path}: [tool.loadgate] must be a table")
    return table


def _validated(path: Path, table: dict[str, Any]) -> Project:
    try:
        return Project(root=path.parent, **table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["tool", "loadgate", *(str(part) for part in first["loc"])])
        raise ProjectError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
    except TypeError as error:
        raise ProjectError(f"{path}: [tool.loadgate]: {error}") from error
