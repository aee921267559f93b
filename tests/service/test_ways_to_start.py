"""What has to hold however the service is started; `fastapi dev`, `fastapi run` and `up` are in `tests/e2e/`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inference_core.app.stack.ports import free_port
from tests.support.processes import stop, wait_until
from tests.support.raw_http import head_limits_hold
from tests.support.service import ApiProcess, answers, service_env
from tests.support.stack import ROOT


@pytest.mark.full
@pytest.mark.parametrize("options", ["--workers 2", "--http h11 --loop asyncio"])
def test_the_limits_of_heads_hold_and_a_closed_stderr_keeps_nothing_from_starting(
    options: str, tmp_path: Path, redis_url: str
) -> None:
    port = free_port()
    command = f"exec {sys.executable} -m uvicorn inference_core.main:app --port {port} {options} 2>&-"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(["bash", "-c", command], env=service_env(tmp_path, redis_url), stdout=log)
    try:
        api = ApiProcess(process, tmp_path / "log", f"http://127.0.0.1:{port}")
        wait_until(lambda: process.poll() is not None or answers(api), within_s=60, what="the API answering")
        assert process.poll() is None
        assert head_limits_hold(port)
        assert api.get("/nothing").status_code == 404
    finally:
        stop(process)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_lead_nowhere(closed: str) -> None:
    program = (
        "from inference_core.core.standard_streams import open_closed_streams\n"
        "import os, sys\n"
        "open_closed_streams()\n"
        "print('one'); sys.stderr.write('two'); sys.stdin.read(0)\n"
        "assert not sys.stdout.isatty() and not sys.stderr.isatty()\n"
        "names = [os.readlink(f'/proc/self/fd/{number}') for number in range(3)]\n"
        f"closed = [int(part[0].replace('<', '0').replace('>', '1')) for part in {closed!r}.split()]\n"
        "assert all(names[number] == os.devnull for number in closed), names\n"
        "assert all(os.get_inheritable(number) for number in closed)\n"
        "assert os.open(os.devnull, os.O_RDONLY) > 2\n"
    )
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {closed}', sys.executable, program], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_command_works_without_standard_streams(tmp_path: Path, redis_url: str) -> None:
    program = f"{Path(sys.executable).parent / 'inference-core'} migrate >&- 2>&-"
    database = tmp_path / "new.db"
    env = {**service_env(tmp_path, redis_url), "DATABASE_URL": f"sqlite:///{database}"}
    assert subprocess.run(["bash", "-c", program], cwd=tmp_path, env=env, check=False).returncode == 0
    assert database.stat().st_size > 0


def test_ctrl_c_while_the_commands_of_features_are_loaded_is_no_traceback() -> None:
    program = (
        "import os, signal\n"
        "from inference_core import entry; from inference_core.app import cli\n"
        "cli.load_commands = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "entry.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_the_command_opens_closed_streams_before_it_opens_anything_else() -> None:
    program = (
        "import os\n"
        "from inference_core import entry; from inference_core.app import cli\n"
        "def look():\n"
        "    names = [os.readlink(f'/proc/self/fd/{number}') for number in range(3)]\n"
        "    raise SystemExit(names != [os.devnull] * 3)\n"
        "cli.load_commands = look\n"
        "entry.main()\n"
    )
    shell = ["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, program]
    assert subprocess.run(shell, cwd=ROOT, check=False).returncode == 0
