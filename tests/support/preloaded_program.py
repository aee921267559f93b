"""Imports modules once, then runs Python programs in forks of itself: a short program takes longest for its imports.

`python -m tests.support.preloaded_program SOCKET MODULE ...` accepts connections on the descriptor SOCKET, and ends
when all of them are closed. Each program is a byte on a connection. Five descriptors come with it: a file with the
program as JSON (`argv`, `cwd`, `env`), its three standard streams, and a pipe that gets its process id and, when it has
ended, its exit code, a line each.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from select import select
from socket import socket as Socket  # noqa: N812 - a class
from typing import Any

# Importing Locust replaces these and the two above by gevent's, which start an event loop that a fork would share.
fork, waitpid = os.fork, os.waitpid


def next_program(server: Socket) -> dict[str, Any]:
    """Fork for every program that comes; return, in the fork, what it is."""
    connections: list[Socket] = []
    while True:
        for ready in select([server, *connections], [], [])[0]:
            if ready is server:
                connections.append(Socket(fileno=server._accept()[0]))  # `accept` would return a socket of gevent
                continue
            byte, descriptors, *_ = socket.recv_fds(ready, 1, 5)
            if byte:
                reap()
                if not fork():
                    for each in (server, *connections):
                        each.close()
                    return begin(*descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                continue
            connections.remove(ready)
            ready.close()
        if not connections:
            Path(server.getsockname()).unlink(missing_ok=True)
            if not select([server], [], [], 0)[0]:  # else one has just connected
                os._exit(0)


def reap() -> None:
    """Wait for the children that have ended, as a parent must."""
    with contextlib.suppress(ChildProcessError):
        while waitpid(-1, os.WNOHANG)[0]:
            pass


def begin(program: int, stdin: int, stdout: int, stderr: int, told: int) -> dict[str, Any]:
    """Fork once more; return in the child, and wait for it in this process, which tells how it ended."""
    if child := fork():
        for descriptor in (program, stdin, stdout, stderr):
            os.close(descriptor)
        os.write(told, f"{child}\n".encode())
        _, status = waitpid(child, 0)
        os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.close(told)
    for number, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    with os.fdopen(program, encoding="utf-8") as text:
        return dict(json.load(text))


def run(program: dict[str, Any]) -> None:
    """Become the program, as Python's command line starts it."""
    os.environ.clear()
    os.environ.update(program["env"])
    os.chdir(program["cwd"])
    sys.path[1:1] = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    option, *arguments = program["argv"]
    if option == "-m":
        module, *rest = arguments
        sys.path[0], sys.argv = program["cwd"], [module, *rest]
        if not hasattr(sys.modules.get(module), "__path__"):
            sys.modules.pop(module, None)  # it runs as __main__; of a package a module in it does
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.path[0], sys.argv = str(Path(option).parent), [option, *arguments]
        runpy.run_path(option, run_name="__main__")


def preload(modules: Sequence[str]) -> None:
    """Import modules, and leave their objects out of the garbage collection of the forks."""
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()


def main() -> None:
    """Import, serve, and end as the program that this has become, by the usual way of the interpreter."""
    server = Socket(fileno=int(sys.argv[1]))
    preload(sys.argv[2:])
    run(next_program(server))


if __name__ == "__main__":
    main()
