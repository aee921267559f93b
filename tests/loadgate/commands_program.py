"""Runs `loadgate` command lines, each in a fork of one process, and prints as JSON how each ended.

Standard input holds a JSON list of cases: `arguments`, `env`, and for `stdout` and `stderr` one of `file`, `closed`,
`full` and `unread`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# What the commands import when they are called: loaded once, not by every fork.
import loadgate.report.history
import loadgate.runner.run  # noqa: F401
from loadgate.cli import app


def redirect(descriptor: int, kind: str, path: Path) -> None:
    if kind == "closed":
        os.close(descriptor)
        return
    if kind == "unread":
        reading, opened = os.pipe()
        os.close(reading)
    else:
        opened = os.open("/dev/full" if kind == "full" else path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(opened, descriptor)
    os.close(opened)


def run_case(case: dict[str, Any], out: Path, err: Path) -> None:
    """In the fork: become the command."""
    redirect(1, case["stdout"], out)
    redirect(2, case["stderr"], err)
    os.environ.update(case["env"])
    sys.argv = ["loadgate", *case["arguments"]]
    sys.stdout = open(1, "w", closefd=False) if case["stdout"] != "closed" else None  # type: ignore[assignment]  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False) if case["stderr"] != "closed" else None  # type: ignore[assignment]  # noqa: SIM115
    app()


def outcome(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    out, err = folder / "out", folder / "err"
    out.write_text("")
    err.write_text("")
    child = os.fork()
    if not child:
        code = 70
        try:
            run_case(case, out, err)
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException as error:  # noqa: BLE001 - it is what the test looks for
            err.write_text(f"Traceback: {error!r}")
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "out": out.read_text("utf-8", "replace"), "err": err.read_text()}


def main() -> None:
    cases = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        results = [outcome(case, Path(folder)) for case in cases]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
