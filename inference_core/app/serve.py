"""`inference-core serve`: the API in one or several processes, at a TCP port or a Unix socket."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from inference_core.core.exceptions import OperatorError
from inference_core.core.loggers import get_logger
from inference_core.core.logging import configure_logging
from inference_core.core.settings import Settings

log = get_logger(__name__)

APPLICATION = "inference_core.main:app"
# Proxies of other users connect to the socket. The permissions of its folder decide who can.
SOCKET_MODE = 0o666
PROBE_S = 1.0


class AddressError(OperatorError):
    """Raised if the server cannot listen at its address. The text states the address and the reason."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of `inference-core serve`. With `unix_socket`, `host` and `port` are not used."""

    host: str
    port: int
    unix_socket: Path | None
    workers: int
    keep_alive_s: int


def serve(options: ServeOptions, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Return the exit code: 0, or 3 if the application refuses to start.

    After SIGTERM, each process drains: see `app/edge/drain.py`.

    Raises:
        AddressError: The address cannot be used.
    """
    configure_logging(settings)
    with _bound_socket(options) as (listener, address):
        config = Config(
            APPLICATION,
            workers=options.workers,
            timeout_keep_alive=options.keep_alive_s,
            proxy_headers=False,  # `app/edge/forwarded.py` reads them
            log_config=None,
            access_log=False,  # the service has its own
        )
        log.info("serving", address=address, processes=options.workers)
        if options.workers == 1:
            return _serve_here(config, listener)
        return _serve_in_processes(config, listener)


def _serve_here(config: Config, listener: socket.socket) -> int:
    server = Server(config)
    with suppress(KeyboardInterrupt):  # raised again by uvicorn after it has stopped
        server.run(sockets=[listener])
    return 0 if server.started else STARTUP_FAILURE


def _serve_in_processes(config: Config, listener: socket.socket) -> int:
    supervisor = Multiprocess(config, sockets=[listener])
    supervisor.run()
    # uvicorn stops if the application refuses to start in one of the processes, but with exit code 0.
    refused = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    return STARTUP_FAILURE if refused else 0


@contextmanager
def _bound_socket(options: ServeOptions) -> Iterator[tuple[socket.socket, str]]:
    """Bind the address before the application is loaded, so that a wrong one is reported immediately."""
    if options.unix_socket is None:
        listener, address = _bound_port(options.host, options.port)
        with listener:
            yield listener, address
        return
    path = options.unix_socket
    with _bound_path(path) as listener:
        try:
            yield listener, f"unix:{path}"
        finally:
            path.unlink(missing_ok=True)


def _bound_port(host: str, port: int) -> tuple[socket.socket, str]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a host name"
        raise AddressError(f"--host {host!r} cannot be used: {reason}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise AddressError(
            f"cannot listen at {_shown(host, port)}: {error.strerror}; choose another address with --host and --port, "
            "or HOST and PORT"
        ) from None
    listener.set_inheritable(True)
    return listener, f"http://{_shown(host, listener.getsockname()[1])}"


def _bound_path(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_left_over(path):
            path.unlink()
        listener.bind(str(path))
        path.chmod(SOCKET_MODE)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise AddressError(f"cannot listen at the Unix socket {path}: {reason}; see --unix-socket") from None
    listener.set_inheritable(True)
    return listener


def _is_left_over(path: Path) -> bool:
    """Return whether the path is the socket of a server that has crashed."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
