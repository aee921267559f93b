"""What a suite imports from the package is there, in whatever order it is asked for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import loadgate
from loadgate import install
from loadgate import install as again
from loadgate import HealthLimits, LoadProfile, Stage
from loadgate.checks import HttpCheck, TcpCheck
from loadgate.health import HealthLimits as the_same
from loadgate.recorder import Outcome, Recorder, histogram_log
from loadgate.recorder.packed import iter_slots, unpack
from loadgate.sse import event_stream
from loadgate.users import GROUP, BaseUser
assert HealthLimits is the_same
assert callable(install) and install is again is loadgate.install, loadgate.install
"""


def test_install_is_a_function_however_often_it_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
