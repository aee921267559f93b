"""The metrics of the service, read from its registry."""

from __future__ import annotations

from dataclasses import dataclass

from inference_core.core.telemetry.metrics import Metrics  # isort: skip  # must come before prometheus_client

from prometheus_client.metrics import MetricWrapperBase

from inference_core.core.telemetry.runtime import RuntimeMetrics
from inference_core.service import service

# How the values of several servers are combined, by how prometheus_client combines those of processes.
OVER_SERVERS = {"livesum": "sum", "livemax": "max", "livemin": "min"}


@dataclass(frozen=True)
class Family:
    """A metric: its name without suffix, its kind (counter, gauge or histogram), its help text and its labels."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]
    combined_by: str

    @property
    def unit(self) -> str:
        """The unit of Grafana."""
        return "s" if "_seconds" in self.name else "bytes" if "_bytes" in self.name else "short"


def families() -> dict[str, Family]:
    """Return the metrics of every feature by name."""
    metrics = Metrics()
    metrics.feature(RuntimeMetrics)
    for _, kind in service.load_each("metrics"):
        metrics.feature(kind)
    return {family.name: family for family in map(_family, _collectors(metrics))}


def _collectors(metrics: Metrics) -> list[MetricWrapperBase]:
    # prometheus_client has no public way to find the metrics without values, and their labels.
    found = list(metrics.registry._collector_to_names)  # noqa: SLF001
    return [one for one in found if isinstance(one, MetricWrapperBase)]


def _family(metric: MetricWrapperBase) -> Family:
    fields = vars(type(metric)) | vars(metric)
    combined_by = OVER_SERVERS[fields.get("_multiprocess_mode", "livesum")]
    labels = tuple(fields["_labelnames"])
    return Family(fields["_name"], fields["_type"], fields["_documentation"], labels, combined_by)
