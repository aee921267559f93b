"""Beat sends what the schedule says, and the purge removes what has outlived its use and nothing else."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from inference_core.mail.transport import delete_mails
from tests.support import preloaded
from tests.support.processes import stop, wait_until
from tests.support.service import service_env, worker_process

DAY_S = 24 * 3600


def test_outbox_keeps_recent_mail_and_other_files(tmp_path: Path) -> None:
    for name, age_days in {"old.eml": 8, "new.eml": 1, "old.txt": 8}.items():
        path = tmp_path / name
        path.write_text(name)
        os.utime(path, (time.time() - age_days * DAY_S,) * 2)
    (tmp_path / "folder.eml").mkdir()
    os.utime(tmp_path / "folder.eml", (0, 0))
    (tmp_path / "link.eml").symlink_to(tmp_path / "nowhere")
    assert delete_mails(tmp_path, older_than_s=7 * DAY_S) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"new.eml", "old.txt", "folder.eml", "link.eml"}
    assert delete_mails(tmp_path / "never-made", older_than_s=1) == 0


@pytest.mark.full
def test_beat_has_expired_rows_and_stale_mail_purged(tmp_path: Path, redis_url: str) -> None:
    env = service_env(tmp_path, redis_url, PURGE_INTERVAL_S="1")
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    stale = outbox / "stale.eml"
    stale.write_text("x")
    os.utime(stale, (0, 0))
    with sqlite3.connect(tmp_path / "service.db") as connection:
        rows = [("over", "2020-01-01 00:00:00.000000"), ("going-on", "2120-01-01 00:00:00.000000")]
        connection.executemany("INSERT INTO ended_sessions (session_id, expires_at) VALUES (?, ?)", rows)
    connection.close()

    def ended_sessions() -> list[str]:
        database = sqlite3.connect(tmp_path / "service.db")
        try:
            return [row[0] for row in database.execute("SELECT session_id FROM ended_sessions")]
        finally:
            database.close()

    app = "inference_core.celery.celery_main:celery_app"
    command = [sys.executable, "-m", "celery", "-A", app, "beat", "--schedule", str(tmp_path / "beat")]
    with worker_process(tmp_path, env), (tmp_path / "beat.log").open("wb") as log:
        beat = preloaded.start(command, env=env, cwd=tmp_path, stdout=log, stderr=log)
        try:
            wait_until(lambda: not stale.exists(), within_s=40, what="the stale mail gone")
            wait_until(lambda: ended_sessions() == ["going-on"], within_s=40)
        finally:
            stop(beat)
