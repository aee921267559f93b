"""`python -m loadgate.sampler PARENT`: measure what a configuration names, until the standard input is closed.

The first line of the standard input is the configuration. A later line `collect` makes the target collect garbage and
then measures its memory. `PARENT` is the id of the parent process, with which the sampler ends.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress

from loadgate.parent_process import stop_with_parent
from loadgate.sampler.commands import Commands
from loadgate.sampler.configuration import Configuration
from loadgate.sampler.loop import SampleLoop
from loadgate.sampler.readings import Output


def main() -> None:
    """Run the sampler. It ends quietly when nobody reads its output."""
    # A signal from the terminal ends the run, which then ends the sampler.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(PermissionError):
        os.setsid()
    if len(sys.argv) == 2 and sys.argv[1].isdigit() and (request_signal := stop_with_parent(int(sys.argv[1]))):
        request_signal()
    commands = Commands(sys.stdin.fileno())
    configuration = commands.next(timeout_s=None)
    if not configuration:
        return
    gc.freeze()
    with suppress(BrokenPipeError):
        SampleLoop(Configuration.from_json(configuration), commands, Output(sys.stdout.fileno())).run()


if __name__ == "__main__":
    main()
    # Threads that wait for a slow target must not delay the end.
    os._exit(0)
