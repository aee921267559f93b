"""A target for the pictures of the report: answers after times that look like a service's, now and then slower.

As a program it prints its address and serves until it is ended; `--slow-from` and `--slow-to` are seconds after the
first request between which everything takes three times as long and some of it fails.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time

MEDIAN_MS = {"/ping": 3, "/health": 14, "/login": 48, "/me": 9, "/tasks": 26}
BODY = b'{"status": "ok", "items": [1, 2, 3]}'


class Target:
    def __init__(self, slow_from_s: float, slow_to_s: float) -> None:
        self._slow = (slow_from_s, slow_to_s)
        self._began: float | None = None
        self._random = random.Random(7)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(await self._answer(head.split(b" ")[1].decode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str) -> bytes:
        now = time.monotonic()
        if self._began is None:
            self._began = now
        slow = self._slow[0] <= now - self._began < self._slow[1]
        await asyncio.sleep(MEDIAN_MS[path] / 1000 * self._random.lognormvariate(0, 0.45) * (3 if slow else 1))
        if slow and self._random.random() < 0.04:
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slow-from", type=float, default=0)
    parser.add_argument("--slow-to", type=float, default=0)
    options = parser.parse_args()
    server = await asyncio.start_server(Target(options.slow_from, options.slow_to).serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
