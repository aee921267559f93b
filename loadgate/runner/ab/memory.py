"""The memory of the target in a segment."""

from __future__ import annotations

from loadgate.run.document import RunDocument

AFTER_COLLECT, ANY_TIME = "memory.collected", "memory"
"""The quantities of a resource: measured before and after the load, after garbage collection, and each second."""


def memory_growth(document: RunDocument) -> dict[str, float]:
    """Return the bytes by which each resource of the target grew during a run, per request.

    Without a request that collects garbage, the first and the last value of the run are compared.
    """
    record, requests = document.resources.record(), document.totals.overall.requests
    found: dict[str, float] = {}
    for resource in record.resources() if requests else []:
        for quantity in (AFTER_COLLECT, ANY_TIME):
            series = record.series(resource, quantity)
            if series is not None and len(series) > 1:
                found[resource] = (series.values[-1] - series.values[0]) / requests
                break
    return found
