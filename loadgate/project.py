"""The settings of a project's load tests: [tool.loadgate] in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from loadgate.checks import Check, HttpCheck, TcpCheck
from loadgate.errors import RequestError
from loadgate.resource_settings import (
    MAX_RESOURCES,
    RESOURCE_KINDS,
    RegularExpression,
    ResourceSettings,
    resource_problem,
)

_Text = Annotated[str, StringConstraints(min_length=1)]


def _within(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} must be a path within the project")
    return path


_PathWithin = Annotated[_Text, AfterValidator(_within)]


class ProjectError(RequestError):
    """Raised for wrong settings. The message is one line."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


RUN_FOLDER = "{run_folder}"


class TargetSettings(_Table):
    """`[tool.loadgate.target]`: the service that `loadgate run` starts if no host is given.

    Exactly one of `ready_url` and `ready_line` must be set. The target is ready when `ready_url` returns 2xx, or when a
    line of its output matches the regular expression `ready_line`. The group `url` of the match, or else the first
    group, is the base URL.
    `{run_folder}` in the command or in a value of `env` is replaced by the folder of the run, for example for logs.
    """

    command: Annotated[tuple[_Text, ...], Field(min_length=1)]
    ready_url: _Text | None = None
    ready_line: RegularExpression | None = None
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds within which the target must be ready."""
    stop_timeout: Annotated[float, Field(ge=0)] = 10.0
    """Seconds between SIGTERM and SIGKILL."""
    env: dict[str, str] = Field(default_factory=dict)
    collect: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")] | None = None
    """A path of the target that makes it collect garbage. It is requested before and after the load."""
    prepare: tuple[_Text, ...] = ()
    """The command that makes a new working tree of a commit ready for `command`, for comparisons of commits."""
    prepared: tuple[_PathWithin, ...] = ()
    """What `prepare` creates and later comparisons use again, as long as the files in `lock` are the same."""
    lock: tuple[_PathWithin, ...] = ()
    """The files that decide what `prepare` creates."""

    def for_run(self, run_folder: Path) -> TargetSettings:
        """Return the settings with `{run_folder}` replaced."""

        def filled(text: str) -> str:
            return text.replace(RUN_FOLDER, str(run_folder.resolve()))

        env = {name: filled(value) for name, value in self.env.items()}
        return self.model_copy(update={"command": tuple(map(filled, self.command)), "env": env})

    @model_validator(mode="after")
    def _one_way_to_be_ready(self) -> TargetSettings:
        if (self.ready_url is None) == (self.ready_line is None):
            msg = "give exactly one of ready_url and ready_line"
            raise ValueError(msg)
        if (self.prepared or self.lock) and not (self.prepare and self.prepared and self.lock):
            msg = "prepared and lock belong together, and need prepare"
            raise ValueError(msg)
        return self


class CheckSettings(_Table):
    """One entry of `[[tool.loadgate.doctor]]`: a service that a load test needs.

    - `kind = "http-json"`: GET `where`, which is a path of the host under test or a complete URL. The response must
      have the status `status` and, for each item of `expect`, the JSON value at that dotted path. An expectation is a
      value or a string such as `">= 1"`.
    - `kind = "tcp"`: `where` is `address:port`.

    `start` is the command that starts the service.
    """

    name: _Text
    kind: Literal["http-json", "tcp"]
    where: _Text
    expect: dict[str, Any] = Field(default_factory=dict)
    status: int = 200
    start: str = ""
    needs: tuple[_Text, ...] = ()
    """Names of checks that must pass first. If one of them fails, this check does not run."""
    preflight: bool = True
    """Whether a failed check prevents every run. If false, it prevents only runs with users of a class whose
    `preflight` names the check."""

    def to_check(self) -> Check:
        """Return the check that these settings describe."""
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
    """The table `[tool.loadgate]`. Relative paths in it are relative to `root`."""

    root: Path
    locustfile: str | None = None
    reports: str = "reports/performance"
    baselines: str = "baselines"
    """The folder of the baselines of profiles."""
    host: str = "http://localhost:8000"
    """The host that `loadgate doctor` checks if no host is given, and to which the tokens of the settings belong."""
    target: TargetSettings | None = None
    doctor: tuple[CheckSettings, ...] = ()
    resource: Annotated[tuple[ResourceSettings, ...], Field(max_length=MAX_RESOURCES)] = ()

    @model_validator(mode="after")
    def _resources_belong_together(self) -> Project:
        if problem := resource_problem(self.resource):
            raise ValueError(f"resource: {problem}")
        return self

    @property
    def reports_path(self) -> Path:
        """Return the absolute path of the folder of all reports."""
        return self.root / self.reports

    def preflight_checks(self) -> list[Check]:
        """Return the checks that every run must pass before it starts."""
        return [check.to_check() for check in self.doctor if check.preflight]


def load_project(start: Path | None = None) -> Project:
    """Read the nearest pyproject.toml with a [tool.loadgate] table, from `start` (default: current folder) upwards.

    Without such a file, the project is the folder `start` with default settings.

    Raises:
        ProjectError: The file is not valid TOML, or a setting is wrong.
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
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read: {error.strerror}") from error
    tool = document.get("tool")
    table = tool.get("loadgate") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ProjectError(f"{path}: [tool.loadgate] must be a table")
    return table


def _validated(path: Path, table: dict[str, Any]) -> Project:
    try:
        return Project(root=path.parent, **table)
    except ValidationError as error:
        # A misspelt key is also reported as a missing one.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        # Pydantic adds the kind of an entry to its place.
        loc = [str(part) for part in first["loc"] if part not in RESOURCE_KINDS]
        where = ".".join(["tool", "loadgate", *loc])
        raise ProjectError(f"{path}: {where}: {_problem(first, where)}") from error
    except TypeError as error:
        raise ProjectError(f"{path}: [tool.loadgate]: {error}") from error


def _problem(error: ErrorDetails, where: str) -> str:
    """Return what is wrong, in terms of TOML if Pydantic's message uses those of Python."""
    kinds = " or ".join(RESOURCE_KINDS)
    match error["type"]:
        case "tuple_type":
            is_table = isinstance(error["input"], dict)
            return f"must be a list of tables: write [[{where}]]" if is_table else "must be a list"
        case "union_tag_not_found":
            return f"kind is missing: give {kinds}"
        case "union_tag_invalid":
            return f"kind {error['ctx']['tag']!r} is unknown: give {kinds}"
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "is missing"
    return error["msg"].removeprefix("Value error, ")
