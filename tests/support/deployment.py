"""What the files of `deploy/` must agree with: the settings, the routes and the queues of the service."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from inference_core.app.application import create_application
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import Settings, load_settings
from inference_core.service import service
from tests.support.compose_files import compose_file
from tests.support.deploy_tools import DEPLOY
from tests.support.stack import ROOT

MARGIN_S = 10
"""How much longer than its own time to end a process has before it is killed."""

SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|KEY")
SECRETS = {
    "SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "METRICS_TOKEN": "0123456789abcdef",
    "POSTGRES_PASSWORD": "postgres-password",
    "REDIS_PASSWORD": "redis-password",
}
GIVEN = {**SECRETS, "PUBLIC_URL": "https://api.example.com", "SMTP_HOST": "mail.example.com"}


def compose(variables: Mapping[str, str] = GIVEN) -> dict[str, Any]:
    """Return `deploy/compose.yaml` with its variables replaced."""
    return compose_file(DEPLOY / "compose.yaml", variables)


def version() -> str:
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def image_name() -> str:
    return f"{service.name}:{version()}"


def setting_names() -> set[str]:
    """Return the names of all environment variables that the service reads as settings."""
    return {name.upper() for name in settings_class(service).model_fields}


def settings_from(variables: Mapping[str, str]) -> Settings:
    """Return the settings of a container with these variables, and those of the image.

    Raises:
        SettingsError: The service would not start with them.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in setting_names():
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setenv("ENVIRONMENT", variables.get("ENVIRONMENT", "production"))
        return load_settings(settings_class(service), env_file=None)


def api_stops_within_s(settings: Settings) -> int:
    return math.ceil(settings.effective_shutdown_drain_s + settings.shutdown_grace_s) + MARGIN_S


def worker_stops_within_s(settings: Settings) -> int:
    return math.ceil(settings.celery_soft_shutdown_s) + MARGIN_S


@cache
def paths() -> frozenset[str]:
    """Return the paths of all routes that answer GET."""
    given = {name: value for name, value in GIVEN.items() if name in setting_names()}
    settings = settings_from({"DATABASE_URL": "sqlite:///service.db"} | given)
    application = create_application(service, settings)
    return frozenset(path for path, operations in application.openapi()["paths"].items() if "get" in operations)


def leaves(item: Any) -> Iterator[Any]:
    """Yield every value in a document that contains no others."""
    if isinstance(item, dict):
        for part in item.values():
            yield from leaves(part)
    elif isinstance(item, list):
        for part in item:
            yield from leaves(part)
    else:
        yield item


def queues_of(command: list[str]) -> list[str]:
    """Return the queues in the command of a worker."""
    return command[command.index("--queues") + 1].split(",")


def paths_in(document: Any) -> set[str]:
    """Return the paths of the service that the texts of a document contain."""
    return {path for text in leaves(document) for path in re.findall(r"/(?:api|metrics)[\w/]*", str(text))}
