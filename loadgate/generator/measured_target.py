"""What the settings say about the measurements of the target: which are waits, and how many cores it can use."""

from __future__ import annotations

from loadgate.analysis.causes.usual import MeasuredTarget
from loadgate.analysis.causes.waits import Wait, WaitKind
from loadgate.project import Project
from loadgate.recorder.resources import ResourceRecord
from loadgate.resource_names import CPU_WAIT, TARGET
from loadgate.resource_settings import ProcessResource, PrometheusResource


def measured_target(project: Project, record: ResourceRecord) -> MeasuredTarget:
    """Return the measurements of the target with the waits and the cores of the settings."""
    processes = [entry for entry in project.resource if isinstance(entry, ProcessResource)]
    metrics = [entry for entry in project.resource if isinstance(entry, PrometheusResource)]
    waits = [_wait(entry) for entry in metrics if entry.wait is not None]
    serving = [entry for entry in processes if entry.serves] or processes[:1]
    waits += [_cpu_wait(name) for name in [entry.name for entry in serving] or [TARGET]]
    cores = {entry.name: entry.cores for entry in processes if entry.cores is not None}
    return MeasuredTarget(record, tuple(waits), cores)


def _wait(entry: PrometheusResource) -> Wait:
    resource, _, quantity = (entry.inside or "").partition(" ")
    return Wait(
        resource=entry.name,
        quantity=entry.wait_quantity,
        words=f"waiting for {entry.waiting_for or entry.name}",
        kind=WaitKind.LAG if entry.is_lag else WaitKind.PART,
        inside=(resource, quantity) if quantity else None,
        held=entry.quantity if entry.limit is not None else None,
    )


def _cpu_wait(name: str) -> Wait:
    return Wait(name, CPU_WAIT, f"waiting for a CPU core in {name}", WaitKind.CPU)
