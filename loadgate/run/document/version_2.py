"""Convert a run.json of version 2. It has the memory of the target in `target` instead of `resources`."""

from __future__ import annotations

from typing import Any

from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from loadgate.run.document.model import SCHEMA_VERSION

_MEMORY = ResourceColumn("target", "rss", ColumnKind.LEVEL, ResourceUnit.BYTES)


def from_version_2(data: dict[str, Any]) -> dict[str, Any]:
    """Return the document in the present form. Wrong values stay as they are, for the validation to refuse."""
    record = ResourceRecord()
    target = data.get("target")
    samples = target.get("rss_bytes") if isinstance(target, dict) else None
    if isinstance(samples, dict):
        for time_s, value in zip(_numbers(samples.get("times_s")), _numbers(samples.get("rss_bytes")), strict=False):
            record.put(int(time_s), {_MEMORY: value})
    conclusions: dict[str, Any] = {"growth": [], "recoveries": [], "left_over": [], "episodes": []}
    return data | {"schema_version": SCHEMA_VERSION, "conclusions": conclusions, "resources": record.to_json()}


def _numbers(values: Any) -> list[float]:
    """Return the values if all of them are numbers, else nothing."""
    known = values if isinstance(values, list) else []
    numbers = [float(value) for value in known if isinstance(value, int | float) and 0 <= value < 2**63]
    return numbers if len(numbers) == len(known) else []
