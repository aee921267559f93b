"""Record the runs that README.md and the documentation show, in docs/samples.

    .venv/bin/python scripts/samples              # record both runs, on a machine that does nothing else
    .venv/bin/python scripts/samples pass         # record one of them, `pass` or `fail`
    .venv/bin/python scripts/samples draw         # only draw docs/images/terminal.svg from the recording again

Both are runs of the light profile. During the one that fails, this program holds the lock of the database again and
again, as a job with long transactions would. After it, take the screenshots (CONTRIBUTING.md, "A picture").
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from terminal_recording import Recording, record
from terminal_svg import drawn

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "docs/samples"
RECORDING = SAMPLES / "terminal.cast"
DRAWING = ROOT / "docs/images/terminal.svg"
REPORT_PICTURE = ROOT / "docs/images/report-pass-light.png"
TRANSACTIONS, BEGIN_S, HELD_S, PAUSE_S = 9, 18, 3.5, 0.3
"""How many transactions hold the lock, when they begin, for how long each does, and the time between two."""


def main() -> None:
    """Do what the arguments name."""
    actions = {"pass": record_pass, "fail": record_fail, "draw": draw}
    names = sys.argv[1:] or list(actions)
    if not actions.keys() >= set(names):
        sys.exit(__doc__)
    for name in names:
        actions[name]()


def record_pass() -> None:
    """Record a run and the terminal."""
    run("pass", 0).write(RECORDING)


def record_fail() -> None:
    """Record a run with a locked database."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "service.db"
        run("fail", 99, lambda: lock(database), DATABASE_URL=f"sqlite+aiosqlite:///{database}")


def draw() -> None:
    """Draw the recording of the terminal."""
    DRAWING.write_text(drawn(Recording.read(RECORDING), REPORT_PICTURE.read_bytes()), encoding="utf-8")


def run(name: str, expected: int, meanwhile: Callable[[], None] = lambda: None, **environment: str) -> Recording:
    """Run the light profile, keep its run.json as docs/samples/NAME/run.json, and return what the terminal showed.

    Raises:
        SystemExit: if the exit code of the run is not the expected one, or a rule is inconclusive.
    """
    recording = record(["make", "perf"], ROOT, os.environ | environment, "the target is ready", meanwhile)
    newest = max((ROOT / "reports/performance/runs").iterdir())
    document = (newest / "run.json").read_text(encoding="utf-8")
    verdict = json.loads(document)["verdict"]
    if verdict["exit_code"] != expected or any(rule["outcome"] == "inconclusive" for rule in verdict["rules"]):
        sys.exit(f"{name}: the run did not have the expected outcome; see {newest}. Repeat on a machine that is idle.")
    kept = SAMPLES / name / "run.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(document.replace(f"{ROOT}/", ""), encoding="utf-8")
    return recording


def lock(database: Path) -> None:
    """Hold the lock of writers in long transactions, in the middle of the run."""
    time.sleep(BEGIN_S)
    with closing(sqlite3.connect(database, isolation_level=None, timeout=5)) as connection:
        for _ in range(TRANSACTIONS):
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(HELD_S)
            connection.execute("ROLLBACK")
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
