"""Read the metrics of an application as numbers."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.support.accounts import Api


async def scrape(api: Api, query: str = "") -> dict[str, float]:
    """Return the value of each sample, by its name and labels as Prometheus writes them."""
    text = (await api.client.get(f"/metrics{query}")).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {written(sample.name, sample.labels): sample.value for sample in samples}


def written(name: str, labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs else name
