"""The state, the result and the cancellation of tasks, with a real API and a real worker."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from tests.support.processes import wait_until
from tests.support.service import PREFIX, ApiProcess


def submit(api: ApiProcess, task: str, *args: Any, **fields: Any) -> str:
    with api.client() as client:
        response = client.post(f"{PREFIX}/test/submit", json={"task": task, "args": args, **fields})
    assert response.status_code == 202, response.text
    task_id: str = response.json()["task_id"]
    return task_id


def delete(api: ApiProcess, task_id: str) -> httpx2.Response:
    with api.client() as client:
        return client.delete(f"{PREFIX}/tasks/{task_id}")


def started(notes: Path, task_id: str) -> bool:
    return notes.exists() and f"start {task_id}" in notes.read_text()


def test_result_waits_for_a_task_and_gives_its_value(api: ApiProcess) -> None:
    task_id = submit(api, "test.add", 2, 3)
    response = api.get(f"/tasks/{task_id}/result?timeout=20", timeout_s=30)
    assert response.status_code == 200
    assert response.json() == {"task_id": task_id, "status": "SUCCESS", "success": True, "result": 5, "error": None}
    assert api.get(f"/tasks/{task_id}/status").json() == {
        "task_id": task_id,
        "status": "SUCCESS",
        "result": 5,
        "info": None,
        "traceback": None,
        "successful": True,
        "failed": False,
    }


def test_running_task_is_202_when_the_wait_ends(api: ApiProcess, tmp_path: Path) -> None:
    task_id = submit(api, "test.slow", 3, str(tmp_path / "notes"))
    start_s = time.monotonic()
    response = api.get(f"/tasks/{task_id}/result?timeout=0.3")
    assert response.status_code == 202
    assert response.json()["status"] in {"PENDING", "STARTED"}
    assert time.monotonic() - start_s < 2.5
    done = api.get(f"/tasks/{task_id}/result?timeout=20", timeout_s=30)
    assert done.json()["success"] is True


def test_failed_task_says_so_without_saying_what_it_must_not(api: ApiProcess) -> None:
    task_id = submit(api, "test.fail", "hunter2")
    response = api.get(f"/tasks/{task_id}/result?timeout=20", timeout_s=30)
    assert response.status_code == 200
    assert response.json()["success"] is False
    assert response.json()["error"] == {"type": "RuntimeError", "message": "The task failed."}
    status = api.get(f"/tasks/{task_id}/status")
    assert (status.json()["failed"], status.json()["traceback"]) == (True, None)
    assert "hunter2" not in response.text + status.text


def test_failed_task_says_what_was_written_for_its_submitter(api: ApiProcess) -> None:
    task_id = submit(api, "test.fail", "x", True)
    response = api.get(f"/tasks/{task_id}/result?timeout=20", timeout_s=30)
    assert response.json()["error"] == {"type": "TaskFailedError", "message": "The file is not a picture."}


def test_task_never_submitted_is_404_everywhere(api: ApiProcess) -> None:
    for task_id in (str(uuid4()), "no-such-task"):
        for response in (
            api.get(f"/tasks/{task_id}/status"),
            api.get(f"/tasks/{task_id}/result"),
            delete(api, task_id),
        ):
            assert response.status_code == 404
            assert response.headers["content-type"] == "application/problem+json"


def test_waits_are_bounded(api: ApiProcess) -> None:
    for wait in ("-1", "31", "inf", "nan", "x"):
        assert api.get(f"/tasks/{uuid4()}/result?timeout={wait}").status_code == 422


def test_task_of_somebody_is_404_for_anybody_else(api: ApiProcess) -> None:
    task_id = submit(api, "test.add", 1, 1, owner=str(uuid4()))
    assert api.get(f"/tasks/{task_id}/status").status_code == 404
    assert api.get(f"/tasks/{task_id}/result").status_code == 404
    assert delete(api, task_id).status_code == 404


def test_finished_task_cannot_be_cancelled(api: ApiProcess) -> None:
    task_id = submit(api, "test.add", 1, 1)
    api.get(f"/tasks/{task_id}/result?timeout=20", timeout_s=30)
    answer = delete(api, task_id).json()
    assert (answer["task_id"], answer["cancelled"]) == (task_id, False)


def test_running_task_is_really_stopped(api: ApiProcess, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    task_id = submit(api, "test.slow", 60, str(notes))
    wait_until(lambda: started(notes, task_id), what="the task started")
    wait_until(lambda: task_id[:8] in api.get("/tasks/active").text, what="the task listed as active")
    answer = delete(api, task_id).json()
    assert answer["cancelled"] is True, answer
    assert api.get(f"/tasks/{task_id}/status").json()["status"] == "REVOKED"
    wait_until(lambda: task_id[:8] not in api.get("/tasks/active").text, what="the task no longer active")
    assert "effect" not in notes.read_text()
    # The worker lives on.
    again = submit(api, "test.add", 1, 1)
    assert api.get(f"/tasks/{again}/result?timeout=20", timeout_s=30).json()["success"] is True


def test_waiting_task_is_cancelled_and_never_starts(api: ApiProcess, tmp_path: Path) -> None:
    notes, release = tmp_path / "notes", tmp_path / "release"
    blocking = [submit(api, "test.held", str(release), str(notes)) for _ in range(2)]
    wait_until(lambda: all(started(notes, task_id) for task_id in blocking), what="both processes busy")
    waiting = submit(api, "test.slow", 0, str(notes))
    answer = delete(api, waiting).json()
    assert answer["cancelled"] is True, answer
    release.touch()
    for task_id in blocking:
        assert api.get(f"/tasks/{task_id}/result?timeout=20", timeout_s=30).json()["success"] is True
    last = submit(api, "test.add", 1, 1)
    assert api.get(f"/tasks/{last}/result?timeout=20", timeout_s=30).json()["success"] is True
    assert not started(notes, waiting)
    assert api.get(f"/tasks/{waiting}/status").json()["status"] == "REVOKED"


def test_active_tasks_show_no_arguments_and_no_id_that_opens_anything(api: ApiProcess, tmp_path: Path) -> None:
    task_id = submit(api, "test.slow", 2, str(tmp_path / "very-private-path"))
    wait_until(lambda: task_id[:8] in json.dumps(api.get("/tasks/active").json()["active"]), what="the task active")
    assert task_id not in api.get("/tasks/active").text
    assert task_id not in api.get("/tasks/workers/stats").text
    assert "very-private-path" not in api.get("/tasks/active").text
    api.get(f"/tasks/{task_id}/result?timeout=20", timeout_s=30)
