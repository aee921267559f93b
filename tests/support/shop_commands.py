"""Run `inference-core` for several databases, one command after another: `shop_commands.py JSON`.

The argument is a list of URLs with the arguments of a command. Prints a list of exit codes and outputs.
"""

from __future__ import annotations

import json
import sys

from typer.testing import CliRunner

from inference_core.app.cli import command_line
from inference_core.core.current_service import current_service

if __name__ == "__main__":
    results = []
    for url, command in json.loads(sys.argv[1]):
        result = CliRunner().invoke(command_line(current_service()), command, env={"DATABASE_URL": url})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        results.append((result.exit_code, result.output))
    print(json.dumps(results))
