"""The log of a stack on a terminal, and the console format of single processes."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from pathlib import Path

import pytest

from inference_core.app.stack.follow import MAX_LINE_BYTES, READ_BYTES, LogFollower
from inference_core.core.log_lines import printable
from inference_core.core.logging import log_formatter
from inference_core.core.telemetry.access_log import AccessLog, Answered

TIME = r"\d\d:\d\d:\d\d"


def access(second: int, path: str = "/x", status: int = 200) -> dict[str, object]:
    return {
        "event": "request",
        "method": "GET",
        "path": path,
        "status": status,
        "duration_ms": 1.25,
        "request_id": "ab12",
        "level": "info",
        "timestamp": f"2026-01-01T00:00:{second:02d}.000001+00:00",
    }


def event(second: int, name: str, **values: object) -> dict[str, object]:
    return {"event": name, "level": "info", "timestamp": f"2026-01-01T00:00:{second:02d}.5Z", **values}


def followed(folder: Path, *, is_coloured: bool = False, **records: list[dict[str, object] | str]) -> list[str]:
    """Return what is shown of records that are added to the logs `api` and `worker`."""
    logs = {name: folder / f"{name}.log" for name in records}
    for path in logs.values():
        path.write_text("earlier\n")
    shown: list[str] = []
    follower = LogFollower(logs, shown.append, is_coloured)
    for name, lines in records.items():
        with logs[name].open("a") as log:
            log.writelines(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    follower.poll(until_s=math.inf)
    return shown


def test_lines_are_short_and_in_the_order_of_time(tmp_path: Path) -> None:
    shown = followed(
        tmp_path,
        api=[access(1), event(4, "late"), access(3, "/y", 404)],
        worker=[event(2, "mail_sent", kind="reset", request_id="r", level="warning")],
    )
    assert [re.sub(f"^{TIME}", "T", line) for line in shown] == [
        "T 200 GET /x 1.2 ms ab12",
        "T worker warning mail_sent kind=reset",
        "T 404 GET /y 1.2 ms ab12",
        "T api info late",
    ]


@pytest.mark.parametrize(("status", "colour"), [(200, "32"), (302, "36"), (404, "33"), (503, "31")])
def test_the_status_of_a_request_has_a_colour(tmp_path: Path, status: int, colour: str) -> None:
    (line,) = followed(tmp_path, is_coloured=True, api=[access(1, status=status)])
    assert f"\x1b[{colour}m{status}\x1b[0m GET /x" in line


def test_libraries_show_warnings_and_results_of_tasks_alone(tmp_path: Path) -> None:
    shown = followed(
        tmp_path,
        api=[event(1, "Waiting.", logger="uvicorn.error"), event(2, "Broken.", logger="uvicorn.error", level="error")],
        worker=[
            event(3, "mingle: all alone", logger="celery.worker.consumer.mingle"),
            event(4, "Task x succeeded", logger="celery.app.trace"),
        ],
    )
    assert [line[9:] for line in shown] == ["api error Broken.", "worker info Task x succeeded"]


def test_an_exception_is_shown_as_a_traceback_without_frames_of_libraries(tmp_path: Path) -> None:
    def fail() -> None:
        json.loads("{")

    try:
        fail()
    except ValueError:
        record = logging.LogRecord("own", logging.ERROR, __file__, 1, "unhandled_exception", (), sys.exc_info())
    line = log_formatter(as_json=True).format(record)
    shown = followed(tmp_path, api=[line])
    assert shown[0].endswith(" api error unhandled_exception")
    assert any(re.fullmatch(rf'  File "{re.escape(__file__)}", line \d+, in fail', text) for text in shown)
    assert '    json.loads("{")' in shown
    assert shown[-1].startswith("JSONDecodeError: Expecting property name")


def test_prints_are_shown_when_their_line_is_complete(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("")
    shown: list[str] = []
    follower = LogFollower({"api": log}, shown.append, is_coloured=False)
    for part in ("a pri", "nt\n\n"):
        with log.open("a") as stream:
            stream.write(part)
        follower.poll(until_s=math.inf)
    assert [line[9:] for line in shown] == ["api a print"]


def test_a_line_that_never_ends_is_cut_and_not_held(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("")
    shown: list[str] = []
    follower = LogFollower({"api": log}, shown.append, is_coloured=False)
    for _ in range(5):
        with log.open("a") as stream:
            stream.write("x" * MAX_LINE_BYTES)
        follower.poll(until_s=math.inf)
        (file,) = follower._files.values()
        assert len(file.rest) <= MAX_LINE_BYTES
    (line,) = shown
    assert line.endswith("xxx …")
    with log.open("a") as stream:
        stream.write("the end\nthe next line\nand a")
    follower.poll(until_s=math.inf)
    assert [line[9:] for line in shown[1:]] == ["api the next line"]
    with log.open("a") as stream:
        stream.write("nother\n")
    follower.poll(until_s=math.inf)
    assert [line[9:] for line in shown[2:]] == ["api and another"]
    del shown[:]
    line = "y" * 1023 + "\n"
    log.write_text(log.read_text() + line * (READ_BYTES // 512))
    follower.poll(until_s=math.inf)
    assert len(shown) == READ_BYTES // 1024


def test_lines_wait_until_earlier_ones_are_written(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("")
    shown: list[str] = []
    follower = LogFollower({"api": log}, shown.append, is_coloured=False)
    log.write_text(f"{json.dumps(event(5, 'second'))}\n{json.dumps(access(1))}\n")
    follower.poll(until_s=0.0)
    assert shown == []
    follower.poll()
    assert [line.split()[1] for line in shown] == ["200", "api"]


def test_control_characters_are_escaped(tmp_path: Path) -> None:
    assert printable("a\x1b[2Jb\r\u202e") == "a\\x1b[2Jb\\r\\u202e"
    assert printable("Grüße") == "Grüße"
    shown = followed(tmp_path, api=[access(1, "/\x1b[2J"), event(2, "x\x1b", key="\n"), "\x1b[2J"])
    assert all(line.isprintable() for line in shown)


def test_the_access_log_of_a_console_has_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(enabled=True, as_json=False, count_lost=lambda _: None)
    log.requests.append(Answered(1.0, "GET", "/a b", "/a", 200, 0.0123, "id", "", "", "127.0.0.1"))
    log.flush()
    assert re.fullmatch(rf"{TIME} 200 GET /a b 12\.3 ms id 127\.0\.0\.1\n", capsys.readouterr().err)


def test_the_console_format_has_a_short_time() -> None:
    record = logging.LogRecord("own", logging.INFO, __file__, 1, "an event", (), None)
    assert re.match(rf"{TIME} \[info\s*\] an event", log_formatter(as_json=False).format(record))
