"""A TCP proxy that misbehaves on command, with the names Toxiproxy gives its toxics.

Runs an event loop in a thread of its own, so that synchronous tests can use it:

    with fault_proxy(redis_port) as proxy:
        proxy.add(Toxic("latency", ms=200))
        proxy.clear()
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from tests.support.wire_server import abort

ToxicName = Literal["latency", "bandwidth", "slow_close", "timeout", "slicer", "limit_data", "reset_peer", "down"]
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Toxic:
    """One misbehaviour of the way from the server back to the client.

    latency: each chunk `ms` late. bandwidth: at most `bytes` a second. slow_close: the end of a stream `ms` late.
    timeout: nothing goes through either way, and after `ms` (0: never) the connection is closed. slicer: pieces of
    `bytes`, `ms` apart. limit_data: closed after `bytes`. reset_peer: reset after `ms`. down: connections are refused
    and the open ones closed.
    """

    name: ToxicName
    ms: float = 0.0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of the next data that the server sends with `text` in them.

    The client gets the first `keep` bytes. Then the connection is closed, or `silent` for ever.
    """

    text: bytes
    keep: int = 0
    silent: bool = False


@dataclass(slots=True)
class FaultProxy:
    """A running proxy. The toxics in force apply to every connection, the open ones included."""

    upstream: int
    loop: asyncio.AbstractEventLoop
    port: int = 0
    toxics: dict[ToxicName, Toxic] = field(default_factory=dict)
    accepted: int = 0
    forgotten: int = 0
    condemned: int = 0
    losses: list[Loss] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _transports: list[asyncio.WriteTransport] = field(default_factory=list)

    def add(self, toxic: Toxic) -> None:
        """Put a toxic in force."""
        self._call(self._add, toxic)

    def clear(self) -> None:
        """Behave well again."""
        self._call(self._clear)

    def forget(self) -> None:
        """Make every open connection silent for ever, as a network does that has lost track of them; new ones work."""
        self._call(self._forget)

    def _forget(self) -> None:
        self.forgotten = self.accepted

    def condemn(self) -> None:
        """Close every open connection when something is sent on it, as a server does that is killing its sessions."""
        self._call(self._condemn)

    def _condemn(self) -> None:
        self.condemned = self.accepted

    def lose(self, *losses: Loss) -> None:
        """Lose data of the server, each of the losses once."""
        self._call(self.losses.extend, losses)

    def _call(self, action: Callable[..., object], *arguments: object) -> None:
        async def run() -> None:
            result = action(*arguments)
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    async def _add(self, toxic: Toxic) -> None:
        self.toxics[toxic.name] = toxic
        if toxic.name == "down":
            await self._stop_listening()
            for writer in list(self._writers):
                writer.transport.abort()
        if toxic.name == "reset_peer":
            self.loop.call_later(toxic.ms / 1000, self._reset_all)

    async def _clear(self) -> None:
        self.toxics.clear()
        if self._server is None:
            await self.listen()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await self._stop_listening()
        await asyncio.sleep(0)  # whoever was accepted just now has a task
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await abort(self._transports)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self._transports.append(writer.transport)
        self.accepted += 1
        number = self.accepted
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._writers.add(up_writer)
            self._transports.append(up_writer.transport)
            try:
                await asyncio.gather(
                    self._pump(number, reader, up_writer, back=False), self._pump(number, up_reader, writer, back=True)
                )
            finally:
                self._writers.discard(up_writer)
                up_writer.close()
        except (OSError, asyncio.CancelledError):
            pass  # an end that went away is what this proxy is for, and its own end is no news to anybody
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _pump(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool
    ) -> None:
        sent = 0
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._blackhole(writer)
                if number <= self.forgotten:
                    await asyncio.Event().wait()
                if number <= self.condemned:
                    break
                if back and (loss := self._loss(data)):
                    writer.write(data[: loss.keep])
                    if loss.silent:
                        await asyncio.Event().wait()
                    break
                if back:
                    await self._slow_down(len(data))
                    limit = self.toxics.get("limit_data")
                    if limit is not None and sent + len(data) > limit.bytes:
                        writer.write(data[: max(0, limit.bytes - sent)])
                        break
                for piece, pause_s in self._pieces(data, back=back):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause_s)
                sent += len(data)
            if slow := self.toxics.get("slow_close"):
                await asyncio.sleep(slow.ms / 1000)
        writer.close()

    def _loss(self, data: bytes) -> Loss | None:
        for loss in self.losses:
            if loss.text in data:
                self.losses.remove(loss)
                return loss
        return None

    async def _blackhole(self, writer: asyncio.StreamWriter) -> None:
        started_s = self.loop.time()
        while toxic := self.toxics.get("timeout"):
            if toxic.ms and self.loop.time() - started_s > toxic.ms / 1000:
                raise OSError("closed by the timeout toxic")
            if writer.is_closing():
                raise OSError("closed meanwhile")
            await asyncio.sleep(0.02)

    async def _slow_down(self, size: int) -> None:
        if latency := self.toxics.get("latency"):
            await asyncio.sleep(latency.ms / 1000)
        if (bandwidth := self.toxics.get("bandwidth")) and bandwidth.bytes:
            await asyncio.sleep(size / bandwidth.bytes)

    def _pieces(self, data: bytes, *, back: bool) -> Iterator[tuple[bytes, float]]:
        slicer = self.toxics.get("slicer") if back else None
        if slicer is None:
            yield data, 0.0
            return
        for start in range(0, len(data), slicer.bytes):
            yield data[start : start + slicer.bytes], slicer.ms / 1000


def _reset(writer: asyncio.StreamWriter) -> None:
    # With a linger of zero, closing sends a reset instead of a goodbye.
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def fault_proxy(upstream: int) -> Iterator[FaultProxy]:
    """A proxy on a free loopback port in front of the server on port `upstream`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault-proxy", daemon=True)
    thread.start()
    proxy = FaultProxy(upstream, loop)
    try:
        asyncio.run_coroutine_threadsafe(proxy.listen(), loop).result(10)
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
