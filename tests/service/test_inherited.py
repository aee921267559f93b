"""Programs that our commands start: no variable of their own options reaches them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference_core.app.stack.inherited import inherited
from inference_core.core.telemetry import multiprocess


def test_options_of_celery_and_uvicorn_are_left_out_and_settings_are_kept() -> None:
    kept = {"CELERY_BROKER_URL": "redis://h/0", "celery_result_backend": "redis://h/1", "PATH": "/bin", "UVICORNS": "x"}
    options = ("CELERY_WORKER_POOL", "CELERY_CONFIG", "UVICORN_WS", "WEB_CONCURRENCY", "WEBSOCKETS_MAX_LOG_SIZE")
    assert inherited(kept | dict.fromkeys(options, "many")) == kept


def test_the_old_name_of_the_folder_of_metrics_is_the_new_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(multiprocess.VARIABLE, raising=False)
    monkeypatch.setenv(multiprocess.OLD_VARIABLE, str(tmp_path / "metrics"))
    multiprocess.prepare()
    assert multiprocess.OLD_VARIABLE not in os.environ
    assert os.environ[multiprocess.VARIABLE] == str(tmp_path / "metrics")
    assert (tmp_path / "metrics").is_dir()
