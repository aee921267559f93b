"""What a suite imports from the package is there, in whatever order it is asked for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import loadgate
from loadgate import install
from loadgate import install as again
from loadgate.users import BaseUser
assert callable(install) and install is again is loadgate.install, loadgate.install
"""


def test_install_is_a_function_however_often_it_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
