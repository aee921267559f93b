"""Runs the simulator as a server of its own, until Ctrl-C."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from inference_core.exceptions import OperatorError
from inference_core.llm.simulator.engine import Engine, SimulatorOptions
from inference_core.llm.simulator.openai_router import openai_application

BACKLOG = 2048


class AnnouncedServer(uvicorn.Server):
    """Says where it listens once it does, and once it is ready for signals too."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections."""
        await super().startup(sockets)
        self._announce()


class CannotListenError(OperatorError):
    """The port is taken, or not to be had."""


def run_simulator(options: SimulatorOptions, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until a signal ends it; say the base URL once connections are taken.

    Raises:
        CannotListenError: the address cannot be used.
    """
    try:
        listening = socket.create_server((host, port), backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise CannotListenError(
            f"llm-sim: cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}); try --port 0"
        ) from None
    with listening:
        config = uvicorn.Config(
            openai_application(Engine(options)),
            # Connections that were broken on purpose are no news.
            log_level="critical",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        base_url = f"http://{host}:{listening.getsockname()[1]}/v1"
        with suppress(KeyboardInterrupt):  # given back by uvicorn when it has stopped
            AnnouncedServer(config, lambda: say(base_url)).run(sockets=[listening])
