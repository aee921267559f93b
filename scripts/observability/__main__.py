"""Write the Grafana dashboards and the Prometheus rules from the metrics of the service.

    .venv/bin/python scripts/observability [FOLDER]

FOLDER is `deploy` by default.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from alerts import groups
from dashboards import rendered
from metric_families import families

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NOTE = "# Written by scripts/observability. Change the alerts in scripts/observability/alerts.py.\n"


def files() -> dict[str, str]:
    """Return the text of each file by its path in `deploy/`."""
    written = {
        f"observability/dashboards/{name}.json": json.dumps(dashboard, indent=1) + "\n"
        for name, dashboard in rendered(families()).items()
    }
    rules = {"groups": groups()}
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "inference-core"},
        "spec": rules,
    }
    written["observability/rules.yaml"] = NOTE + yaml.safe_dump(rules, sort_keys=False, width=120)
    written["kubernetes/overlays/production/alerts.yaml"] = NOTE + yaml.safe_dump(resource, sort_keys=False, width=120)
    return written


def main() -> None:
    """Write the files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEPLOY
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
