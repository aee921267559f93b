"""What Locust itself shows and writes: its figures in fine steps, and its HTML report where it forgets to write it."""

from __future__ import annotations

import logging
from pathlib import Path

from locust.env import Environment
from locust.html import get_html_report, process_html_filename

from loadgate.artefacts import write_whole

logger = logging.getLogger(__name__)


def fine_bucket(response_time: float) -> float:
    """Round for Locust's histogram: to 0.1 ms below 1 s, to 1 ms below 10 s, to 10 ms above.

    Locust's own rounding to two digits makes 104.9 ms read as 100. These steps keep its histograms below 20,000
    entries up to 10 s.
    """
    if response_time < 1000:
        return round(response_time, 1)
    return round(response_time) if response_time < 10_000 else round(response_time, -1)


def write_missing_html(environment: Environment) -> None:
    """Write the file of --html if Locust did not, as after SIGTERM."""
    options = environment.parsed_options
    if options is None or not options.html_file or environment.stats.start_time is None:
        return
    process_html_filename(options)
    path = Path(options.html_file)
    if not path.exists() or path.stat().st_mtime < environment.stats.start_time:
        report = get_html_report(environment, show_download_link=False)  # type: ignore[no-untyped-call]
        try:
            write_whole(path, report)
        except OSError as error:
            logger.warning("%s cannot be written: %s", path, error.strerror or error)
