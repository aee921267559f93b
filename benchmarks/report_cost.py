"""Measures the cost of the report: how long it takes to make that of a day, and to open that of half an hour.

    python benchmarks/report_cost.py [--rounds 5]

Each figure is the ratio of two costs whose measurements alternate, so other load on the machine affects both. The CPU
time of the report of a day with 50 request names is compared with that of a plain loop which reads the same run.json
and adds up every recorded bucket once. The time until a browser shows the report of half an hour is compared with that
of a run without a request. Without Chromium, the second figure is left out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loadgate.report.html import html_report
from loadgate.run.document import read_run
from tests.loadgate.report.runs import empty
from tests.support.browser import OfflinePage, chromium_path, launched_browser
from tests.support.synthetic_run import DAY, Synthetic, synthetic_document

MAX_MAKING_RATIO = 3.5
MAX_OPENING_RATIO = 4.0
HALF_AN_HOUR = Synthetic(duration_s=1800, names=12, requests_per_s=40)


def add_up(path: Path) -> dict[int, int]:
    """Return the samples of each bucket of a recorded run: the least that a report has to do."""
    totals: dict[int, int] = {}
    for row in read_run(path).recording.series:
        columns = row.cells.unpacked().latency
        for bucket, samples in zip(columns.buckets, columns.samples, strict=True):
            totals[bucket] = totals.get(bucket, 0) + samples
    return totals


def cpu_s(work: Callable[[Path], object], path: Path) -> float:
    began = time.process_time()
    work(path)
    return time.process_time() - began


def making_ratio(folder: Path, rounds: int) -> float:
    path = folder / "run.json"
    path.write_text(synthetic_document(DAY).to_json(), encoding="utf-8")
    costs = [(cpu_s(lambda run: html_report(read_run(run)), path), cpu_s(add_up, path)) for _ in range(rounds)]
    report_s, loop_s = (statistics.median(column) for column in zip(*costs, strict=True))
    sys.stdout.write(
        f"report of a day            {report_s:6.2f} s CPU\nplain loop over its data   {loop_s:6.2f} s CPU\n"
    )
    return report_s / loop_s


def opening_ratio(folder: Path, rounds: int) -> float | None:
    if chromium_path() is None:
        return None
    pages = {"half an hour": synthetic_document(HALF_AN_HOUR), "no request": empty()}
    paths = {name: folder / f"{name}.html" for name in pages}
    for name, document in pages.items():
        paths[name].write_text(html_report(document), encoding="utf-8")
    took_ms: dict[str, list[float]] = {name: [] for name in pages}
    with launched_browser() as browser:
        for _ in range(rounds):
            for name, path in paths.items():
                opened = OfflinePage(browser)
                opened.page.goto(path.as_uri())
                opened.page.wait_for_selector("html[data-ready]", timeout=60_000)
                took_ms[name].append(opened.page.evaluate("performance.getEntriesByName('ready')[0].startTime"))
                opened.close()
    medians = {name: statistics.median(times) for name, times in took_ms.items()}
    for name, median_ms in medians.items():
        sys.stdout.write(f"page of {name:<18} {median_ms:6.0f} ms until it is drawn\n")
    return medians["half an hour"] / medians["no request"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        making = making_ratio(Path(name), rounds)
        opening = opening_ratio(Path(name), rounds)
    sys.stdout.write(f"ratio of making            {making:6.2f} (goal: at most {MAX_MAKING_RATIO:g})\n")
    if opening is not None:
        sys.stdout.write(f"ratio of opening           {opening:6.2f} (goal: at most {MAX_OPENING_RATIO:g})\n")
    return int(making > MAX_MAKING_RATIO or (opening or 0.0) > MAX_OPENING_RATIO)


if __name__ == "__main__":
    sys.exit(main())
