"""Start a service of its own: the reference under another name, in a folder beside the existing ones."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
import tomllib
from functools import partial
from importlib import metadata
from pathlib import Path

from inference_core.app.generate.errors import GenerateError
from inference_core.app.generate.feature import RESERVED
from inference_core.app.generate.files import REFERENCE_FOLDER, Staging, run_tool
from inference_core.app.generate.names import check_name
from inference_core.app.generate.rename import renamed
from inference_core.core.current_service import VARIABLE
from inference_core.core.feature import Service

DISTRIBUTION = "inference-core"
# The parts of the feature that is left out with --bare.
FEATURE_PARTS = ("shop/notes", "tests/notes", "tests/performance/users/notes.py")
NAME_REMEDY = "choose another name with --name"
FEATURE_LINE = '        "{package}.notes",\n'


def new_project(target: Path, name: str | None, template: Path | None, *, bare: bool) -> list[str]:
    """Write a service into the folder `target`. Return what was done, in lines.

    Args:
        target: It must not exist, or be empty.
        name: The name of the package. The default is that of the folder.
        template: The checkout of `inference-core` that it depends on. The default is the running one, if it is a
            checkout.
        bare: Leave out the feature `notes`.

    Raises:
        GenerateError: It cannot be written. Nothing has been written.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100  # without following links, so that `..` means what it says
    name = target.name.replace("-", "_") if name is None else name
    _check(name)
    _check_folder(target)
    dependency = partial(_with_dependency, target, _checkout(template))
    with Staging() as staging:
        staged = staging.copy(REFERENCE_FOLDER, target, lambda text: renamed(text, None, name))
        if bare:
            _leave_out_feature(staged, name)
        pyproject = staged / "pyproject.toml"
        pyproject.write_text(dependency(pyproject.read_text(encoding="utf-8")), encoding="utf-8")
        is_formatted = staging.put()
        (target / ".env.example").write_text(_settings_of(target), encoding="utf-8")
        staging.commit()
    return [
        f"wrote {target}",
        *([] if is_formatted else ["ruff is not installed; format the new files with: make format"]),
        f"next: cd {shlex.quote(str(target))} && make perf",
    ]


def _check(name: str) -> None:
    check_name(name, "the service", NAME_REMEDY)
    if name in RESERVED or importlib.util.find_spec(name) is not None:
        raise GenerateError(f"the service {name!r}: there is a module of this name; {NAME_REMEDY}")
    Service(name=name.replace("_", "-"), features=())


def _check_folder(target: Path) -> None:
    """Check that a new project can be in a folder.

    Raises:
        GenerateError: It cannot.
    """
    if not target.parent.is_dir():
        raise GenerateError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise GenerateError(f"{target}: it exists and is not a folder; choose another path")
    if target.exists() and any(target.iterdir()):
        raise GenerateError(f"{target}: the folder is not empty; choose another path")
    if not os.access(target.parent, os.W_OK):
        raise GenerateError(f"{target}: the folder {target.parent} cannot be written; choose another path")
    for folder in (target.parent, *target.parent.parents):
        if (folder / ".git").exists():
            raise GenerateError(f"{target}: {folder} is a git repository; choose a path outside of it")


def _checkout(given: Path | None) -> Path | None:
    """Return the folder of the checkout to depend on. None if `inference-core` is installed from an index.

    Raises:
        GenerateError: The given folder is not a checkout.
    """
    folder = (given or Path(__file__).parents[3]).resolve()
    path = folder / "pyproject.toml"
    try:
        name = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}).get("name")
    except (OSError, ValueError):
        name = None
    if name == DISTRIBUTION:
        return folder
    if given is not None:
        raise GenerateError(f"--template-path {given}: it is not a checkout of {DISTRIBUTION}")
    return None


def _with_dependency(target: Path, checkout: Path | None, pyproject: str) -> str:
    """Return the text of pyproject.toml with the place, or the version, of `inference-core`."""
    if checkout is None:
        return pyproject.replace(f'["{DISTRIBUTION}"]', f'["{DISTRIBUTION} (=={metadata.version(DISTRIBUTION)})"]')
    # A relative path that passes the root of the file system has no advantage.
    parent = target.parent.resolve()
    is_near = len(os.path.commonpath([parent, checkout])) > 1
    path = json.dumps(os.path.relpath(checkout, parent / target.name) if is_near else str(checkout), ensure_ascii=False)
    return f"{pyproject}\n[tool.uv.sources]\n{DISTRIBUTION} = {{ path = {path}, editable = true }}\n"


def _leave_out_feature(staged: Path, package: str) -> None:
    for part in FEATURE_PARTS:
        _delete(staged / renamed(part, None, package))
    service_file = staged / package / "service.py"
    text = service_file.read_text(encoding="utf-8")
    service_file.write_text(text.replace(FEATURE_LINE.format(package=package), ""), encoding="utf-8")


def _delete(path: Path) -> None:
    if path.is_dir():
        for part in path.iterdir():
            _delete(part)
        path.rmdir()
    else:
        path.unlink()


def _settings_of(project: Path) -> str:
    """Return the settings of the new service, as its own command prints them."""
    program = "from inference_core.entry import main; main()"
    env = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return run_tool([sys.executable, "-c", program, "settings"], project, env)
