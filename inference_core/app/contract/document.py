"""Create the OpenAPI document of a service as text, and read the one of an earlier version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi.openapi.models import OpenAPI, PathItem
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from inference_core.app.application import create_application
from inference_core.app.contract.compare import compare_documents
from inference_core.app.contract.schemas import Change, ContractError, mapping
from inference_core.core.feature import Service
from inference_core.core.settings import Settings


def service_document(service: Service, settings: Settings) -> dict[str, Any]:
    """Return the document of a service. Nothing is started.

    Raises:
        SettingsError, FeatureError: The settings or a feature are not valid.
    """
    return create_application(service, settings).openapi()


def as_text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON that is the same each time."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_document(path: Path) -> Mapping[str, Any]:
    """Return the document in a file.

    Raises:
        ContractError: The file is not an OpenAPI document.
        OSError: It cannot be read.
    """
    try:
        document = mapping(from_json(path.read_bytes()), "the document")
        # Strict, because values are compared as they are in the file.
        OpenAPI.model_validate_json(to_json(document), strict=True)
        for item in mapping(document.get("paths", {}), "paths").values():
            PathItem.model_validate_json(to_json(item), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ContractError(f"{path}: not an OpenAPI document: {place}: {first['msg']}") from None
    except ValueError as error:
        raise ContractError(f"{path}: not JSON: {error}") from None
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None
    return document


def changes_since(path: Path, document: Mapping[str, Any]) -> list[Change]:
    """Return the differences between the document in a file and `document`.

    Raises:
        ContractError: The file is not an OpenAPI document.
        OSError: It cannot be read.
    """
    old = read_document(path)
    try:
        return compare_documents(old, document)
    except RecursionError:
        raise ContractError(f"{path}: a schema is an alternative of itself, or nested too deeply") from None
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None
