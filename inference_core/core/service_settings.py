"""The settings of a service: one class with the fields that every service needs and those of all of its features."""

from __future__ import annotations

from functools import cache
from inspect import get_annotations, isclass
from typing import Any

from pydantic import create_model

from inference_core.core.feature import FeatureError, Service, load_reference
from inference_core.core.settings import Settings


@cache
def settings_class(service: Service) -> type[Settings]:
    """Return the class of the settings of `service`.

    Raises:
        FeatureError: A class is not a subclass of `Settings`, or two have a field or a validator of the same name.
    """
    base = load_reference(service.settings, f"service {service.name}: settings")
    if not (isclass(base) and issubclass(base, Settings)):
        raise FeatureError(f"service {service.name}: settings: {service.settings} is not a subclass of Settings")
    sections = service.load_each("settings")
    owners = dict.fromkeys((*Settings.model_fields, *_validators(Settings)), "every service")
    for feature, section in sections:
        if not issubclass(section, Settings):
            raise FeatureError(f"feature {feature.name}: settings: {section.__name__} is not a subclass of Settings")
        for name in (*get_annotations(section), *(_validators(section) - _validators(Settings))):
            if name in owners:
                raise FeatureError(f"feature {feature.name}: settings: {name} is already defined by {owners[name]}")
            owners[name] = f"the feature {feature.name}"
    defaults: dict[str, Any] = {
        "app_name": (str, service.name),
        "app_title": (str, service.title or service.name),
        "app_description": (str, service.description),
        "database_url": (str, f"sqlite+aiosqlite:///.local/{service.name.replace('-', '_')}.db"),
    }
    bases = (*(section for _, section in sections), base)
    return create_model("ServiceSettings", __base__=bases, __module__=__name__, **defaults)


def _validators(kind: type[Settings]) -> set[str]:
    found = kind.__pydantic_decorators__
    return {*found.field_validators, *found.model_validators}
