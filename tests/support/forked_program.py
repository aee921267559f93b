"""Runs command lines of Python programs, each in a fork of one process that has imported what they need.

`python -m tests.support.forked_program MODULE ...` reads a case as a line of JSON and answers with a line of JSON. A
case has `argv` (what follows `python` on a command line), `env`, `cwd`, `folder` for the output, and for `stdout` and
`stderr` one of `file`, `closed`, `full` and `unread`. A program that goes on gets SIGTERM when its output matches
`ready`. A fork ends without the interpreter's tidying, which costs more than most commands.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.support.preloaded_program import fork, preload, run

INTERNAL = 97


def redirect(name: str, kind: str, path: Path) -> None:
    """Make the standard stream `name` lead to a file, to nowhere, to a full device or to a pipe that nobody reads."""
    descriptor = ("stdin", "stdout", "stderr").index(name)
    if kind == "closed":
        os.close(descriptor)
        setattr(sys, name, None)
        return
    if kind == "unread":
        reading, opened = os.pipe()
        os.close(reading)
    else:
        opened = os.open("/dev/full" if kind == "full" else path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(opened, descriptor)
    os.close(opened)
    by_line = {"buffering": 1, "errors": "backslashreplace"} if name == "stderr" else {}
    setattr(sys, name, open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False, **by_line))  # type: ignore[call-overload]  # noqa: SIM115


def become(case: dict[str, Any], out: Path, err: Path) -> int:
    """In the fork: run the program as the interpreter would, and return its exit code."""
    redirect("stdin", "file", Path(os.devnull))
    redirect("stdout", case["stdout"], out)
    redirect("stderr", case["stderr"], err)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run(case)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        with contextlib.suppress(OSError):
            print(end.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - the interpreter prints it too
        if sys.stderr is not None:
            sys.excepthook(*sys.exc_info())
        return 1
    return 0


def end(code: int) -> None:
    """End the fork: threads, exit functions and streams, as far as a user could notice them."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            code = 120
            with contextlib.suppress(OSError, ValueError, AttributeError):
                os.write(2, f"Exception ignored in: {stream!r}\n{error!r}\n".encode())
    os._exit(code)


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """Run a case and return its exit code (negative: a signal), its output, and its CPU time in seconds."""
    out, err = Path(case["folder"]) / "out", Path(case["folder"]) / "err"
    out.write_bytes(b"")
    err.write_bytes(b"")
    if not (child := fork()):
        try:
            end(become(case, out, err))
        finally:
            os._exit(INTERNAL)
    ready, ended, timed_out = re.compile(case["ready"] or "$^", re.MULTILINE), os.pidfd_open(child), False
    deadline = time.monotonic() + case["timeout_s"]
    stopped = not case["ready"]
    while not select.select([ended], [], [], 0.05 if not stopped else 1)[0]:
        if not stopped and ready.search(text_of(out) + text_of(err)):
            stopped = True
            signal.pidfd_send_signal(ended, signal.SIGTERM)
        if time.monotonic() > deadline and not timed_out:
            timed_out = True
            signal.pidfd_send_signal(ended, signal.SIGKILL)
    os.close(ended)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"code": code, "out": text_of(out), "err": text_of(err), "timed_out": timed_out, "cpu_s": cpu_s}


def text_of(path: Path) -> str:
    return path.read_text("utf-8", "replace")


def main() -> None:
    preload(sys.argv[1:])
    cases, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    while line := cases.readline():
        answers.write(json.dumps(outcome(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
