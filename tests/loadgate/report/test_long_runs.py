"""Test the report of a day with fifty request names: bounded memory, and a note on merged slots."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.loadgate.report.runs import text_of
from tests.support.synthetic_run import DAY, synthetic_document

pytestmark = pytest.mark.timeout(400)

MAX_MEMORY_MB = 200
MAX_PAGE_BYTES = 1_500_000

# In a separate process, to measure its peak memory.
BUILD = """
import resource, sys
from pathlib import Path
from loadgate.report.html import html_report
from loadgate.run.document import read_run

def peak_mb():
    # On Linux the kernel's other figure keeps the memory of the process that this one was forked from.
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)

Path(sys.argv[2]).write_text(html_report(read_run(Path(sys.argv[1]))))
print(peak_mb())
"""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("day")
    (folder / "run.json").write_text(synthetic_document(replace(DAY, judged_groups=1)).to_json(), encoding="utf-8")
    yield folder
    (folder / "run.json").unlink()


@pytest.mark.full
def test_the_report_of_a_day_is_made_in_little_memory_and_is_small(day: Path) -> None:
    command = [sys.executable, "-c", BUILD, str(day / "run.json"), str(day / "report.html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)

    assert float(done.stdout) < MAX_MEMORY_MB
    page = (day / "report.html").read_text(encoding="utf-8")
    assert len(page) < MAX_PAGE_BYTES
    told = text_of(page)
    assert "Each point covers 5 min." in told
    assert "percentiles and the maximum are those of all its requests" in told
    assert "The older part of this long run was recorded in steps of up to 1 min" in told
