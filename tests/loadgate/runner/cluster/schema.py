"""The published schemas of Kubernetes and of Compose files, and what they do not express."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = ("1.29", "1.37")
KINDS = {
    ("batch/v1", "Job"): "io.k8s.api.batch.v1.Job",
    ("v1", "Service"): "io.k8s.api.core.v1.Service",
    ("networking.k8s.io/v1", "NetworkPolicy"): "io.k8s.api.networking.v1.NetworkPolicy",
}
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@cache
def _schema(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return read


def problems_of(document: dict[str, Any], version: str) -> list[str]:
    """Return what the API server of a version refuses about a manifest."""
    definition = KINDS[document["apiVersion"], document["kind"]]
    validator = jsonschema.Draft202012Validator({**_schema(f"kubernetes-{version}"), "$ref": f"#/$defs/{definition}"})
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    return found + [f"null at {path}" for path, value in leaves(document) if value is None]


def compose_problems(document: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(_schema("compose"))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def leaves(value: Any, path: str = "$") -> list[tuple[str, Any]]:
    """Return all values in a document that contain no others, with their paths."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [leaf for number, item in enumerate(value) for leaf in leaves(item, f"{path}[{number}]")]
    return [(path, value)]
