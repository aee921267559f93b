"""Run the simulator as a separate server until Ctrl-C."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from inference_core.core.exceptions import OperatorError
from inference_core.llm.simulator.engine import Engine, SimulatorOptions
from inference_core.llm.simulator.openai_router import openai_application

BACKLOG = 2048


class AnnouncedServer(uvicorn.Server):
    """A server that announces itself when it listens and handles signals."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        await super().startup(sockets)
        self._announce()


class CannotListenError(OperatorError):
    """Raised if the port is in use or not available."""


def run_simulator(options: SimulatorOptions, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until a signal arrives. Pass the base URL to `say` when connections are accepted.

    Raises:
        CannotListenError: The address cannot be used.
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
            # Connections that a simulated fault closes are not logged.
            log_level="critical",
            access_log=False,
            lifespan="off",
            # Neither is read from the environment, where it may be unreadable or meant for another server.
            workers=1,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        base_url = f"http://{host}:{listening.getsockname()[1]}/v1"
        with suppress(KeyboardInterrupt):  # raised again by uvicorn after it has stopped
            AnnouncedServer(config, lambda: say(base_url)).run(sockets=[listening])
