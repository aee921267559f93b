"""Find the service of this process: `INFERENCE_CORE_SERVICE`, else `[tool.inference_core]`, else the built-in one."""

from __future__ import annotations

import os
import sys
import tomllib
from functools import cache
from pathlib import Path

from inference_core.core.feature import FeatureError, Service, load_reference

VARIABLE = "INFERENCE_CORE_SERVICE"
BUILT_IN = "inference_core.service:service"


def current_service() -> Service:
    """Return the service in use.

    Raises:
        FeatureError: It is not found, or it is not a `Service`.
    """
    return _load(*_current())


def current_service_file() -> Path:
    """Return the file that defines the service in use.

    Raises:
        FeatureError: It is not found.
    """
    reference, named_by, folder = _current()
    _load(reference, named_by, folder)
    return Path(str(sys.modules[reference.partition(":")[0]].__file__))


def _current() -> tuple[str, str, Path | None]:
    """Return the reference of the service, what names it, and the folder in which its package can be."""
    try:
        here = Path.cwd()
    except OSError as error:
        raise FeatureError(f"the working directory cannot be read: {error.strerror}; change to another one") from None
    reference = os.environ.get(VARIABLE, "").strip()
    if reference:
        return reference, VARIABLE, here
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            named = _named_in(path)
            return (named, str(path), folder) if named else (BUILT_IN, "the built-in service", None)
    return BUILT_IN, "the built-in service", None


def _named_in(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            tool = tomllib.load(stream).get("tool", {})
    except (OSError, ValueError) as error:
        raise FeatureError(f"{path} cannot be read: {error}") from None
    table = tool.get("inference_core") if isinstance(tool, dict) else None
    if table is None:
        return None
    named = table.get("service") if isinstance(table, dict) else None
    if not isinstance(named, str) or not named:
        raise FeatureError(f'{path}: [tool.inference_core] needs service = "package.module:service"')
    return named


@cache
def _load(reference: str, named_by: str, folder: Path | None) -> Service:
    if ":" not in reference:
        raise FeatureError(f'{named_by}: {reference!r} is not of the form "package.module:service"')
    if folder is not None and str(folder) not in sys.path:
        # A package that is not installed is found next to the file that names it, as uvicorn and Celery do.
        sys.path.insert(0, str(folder))
    service = load_reference(reference, named_by)
    if not isinstance(service, Service):
        raise FeatureError(f"{named_by}: {reference} is not a Service")
    return service
