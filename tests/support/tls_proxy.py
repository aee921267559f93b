"""TLS in front of a server that has none: a certificate made for the occasion, and a proxy in a thread."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.servers.unavailable import ServerUnavailableError
from tests.support.wire_server import abort

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback that only itself has signed, and its key.

    Raises:
        ServerUnavailableError: without the `openssl` command.
    """
    if (openssl := shutil.which("openssl")) is None:
        raise ServerUnavailableError("openssl is not installed; on Debian: apt-get install openssl")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)
    subject = ("-days", "2", "-subj", "/CN=localhost", "-addext", NAMES)
    subprocess.run([openssl, "req", "-x509", *new_key, "-out", certificate, *subject], check=True, capture_output=True)
    return certificate, key


@contextmanager
def tls_proxy(certificate: Path, key: Path, target_port: int) -> Iterator[int]:
    """Take TLS connections on the loopback and hand on what comes; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    transports: list[asyncio.WriteTransport] = []
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transports.append(writer.transport)
        to_read, to_write = await asyncio.open_connection("127.0.0.1", target_port)
        transports.append(to_write.transport)
        with suppress(asyncio.CancelledError):  # the end of the proxy is no news to anybody
            await asyncio.gather(hand_on(reader, to_write), hand_on(to_read, writer))
        to_write.close()
        writer.close()

    async def run() -> None:
        stopping = asyncio.Event()
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            started.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stopping))
            await stopping.wait()
        await abort(transports)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    port, loop, stopping = started.result(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
