"""A `.env.example` of a service: every setting with its default, the settings of every service first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from inference_core.core.feature import Service
from inference_core.core.service_settings import settings_class
from inference_core.core.settings import Settings

WIDTH = 100


def env_example(service: Service) -> Iterator[str]:
    """Return the lines of the file.

    Raises:
        FeatureError: The settings of a feature are not valid.
    """
    fields = settings_class(service).model_fields
    yield "# Settings of the service. Copy this file to .env, and uncomment the lines that you want to change."
    yield from _section("every service", [name for name in fields if name in Settings.model_fields], fields)
    for feature, section in service.load_each("settings"):
        own = [name for name in section.model_fields if name not in Settings.model_fields]
        yield from _section(feature.name, own, fields)


def _section(title: str, names: list[str], fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield ""
    yield f"# --- {title} ".ljust(WIDTH, "-")
    yield ""
    for name in names:
        if description := fields[name].description:
            yield f"# {description}"
        yield f"# {name.upper()}={_as_text(fields[name].get_default(call_default_factory=True))}"


def _as_text(value: Any) -> str:
    """Return a default as it is written in the file."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list | tuple):
        return ",".join(map(_as_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
