"""Install the generators of API clients for the contract tests into `.local/clients`."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".local" / "clients"
PYTHON = ("openapi-python-client==0.29.1",)
NODE = ("openapi-typescript@7.13.0", "openapi-fetch@0.14.1", "typescript@5.9.3")


def main() -> None:
    venv.create(FOLDER / "python", with_pip=True)
    pip = [FOLDER / "python" / "bin" / "pip", "--disable-pip-version-check", "install", "-qq", *PYTHON]
    npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", FOLDER / "node", *NODE]
    (FOLDER / "node").mkdir(exist_ok=True)
    for command in (pip, npm):
        if subprocess.run(command, check=False).returncode != 0:
            sys.exit("client generators: they could not be installed; the message is above")


if __name__ == "__main__":
    main()
