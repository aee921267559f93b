"""Print as JSON what Locust shows with loadgate's figures, in a separate process because Locust patches Python."""

from __future__ import annotations

import json
import re

from locust import stats
from locust.env import Environment
from locust.html import get_html_report

from loadgate.generator.locust_figures import show_precise_figures

TIMES_MS = (0.12204100039525656, 99.95000000000002, 104.94999999999999, 1624.9000000001, 12345.6789)
COLUMNS = (0, 1, 20, 40, 60, 79, 80, 81, 83, 84, 85, 88, 100, 200)


def main() -> None:
    show_precise_figures()
    environment = Environment()
    environment.create_local_runner()
    figures = environment.stats
    for time_ms in TIMES_MS:
        figures.log_request("GET", "/api/v1/health/database", time_ms, 100)
    figures.log_request("", "", 5.0, 0)
    figures.log_error("GET", "/api/v1/health/database", "Failed: 404")
    page = get_html_report(environment, show_download_link=False)  # type: ignore[no-untyped-call]
    (shown,) = re.findall(r"window.templateArgs = (\{.*\})", page)
    tables = {}
    for columns in COLUMNS:
        stats.STATS_NAME_WIDTH = max(min(columns - 80, 80), 0)  # as Locust computes it
        tables[columns] = [
            *stats.get_stats_summary(figures, current=False),
            *stats.get_stats_summary(figures, current=True),
            *stats.get_percentile_stats_summary(figures),
            *stats.get_error_report_summary(figures),
        ]
    empty = stats.StatsEntry(figures, "never", "GET").to_dict()
    print(json.dumps({"tables": tables, "html": json.loads(shown)["requests_statistics"], "empty": empty}))


if __name__ == "__main__":
    main()
