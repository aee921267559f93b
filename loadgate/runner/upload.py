"""Send the folder of a run to a URL."""

from __future__ import annotations

import asyncio
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx2

from loadgate.credentials import basic_authorization, without_credentials
from loadgate.errors import os_error_text
from loadgate.runner.delivery import POLL_S, Delivery, DeliveryError, Say, shown_url
from loadgate.units import compact_duration, size

MOST_BYTES = 1_000_000_000
"""Largest size of the files of a run folder that is sent."""
WITHIN_S = 120.0
"""Time for all attempts together."""
WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""Pauses between the attempts."""

_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_CHUNK_BYTES = 65_536


def put(folder: Path, delivery: Delivery, give_up: Callable[[], bool], say: Say) -> None:
    """Send a folder with PUT as one gzip-compressed tar archive, whose only top-level entry is the folder.

    If the path of the URL ends with a slash, the name of the archive is appended. Failed connections and responses that
    a later attempt can change are tried again.

    Raises:
        DeliveryError: The folder is too large, `give_up` returned true, or the server did not accept the archive.
    """
    url = delivery.put_url
    parts = urlsplit(url)
    if parts.path.endswith("/") or not parts.path:
        url = parts._replace(path=f"{parts.path or '/'}{folder.name}.tar.gz").geturl()
    with tempfile.TemporaryFile() as archive:
        try:
            length = _write_archive(folder, archive)
        except OSError as error:
            raise DeliveryError(os_error_text(error)) from error
        say(f"storing the run folder ({size(length)}) at {shown_url(url)}")
        asyncio.run(_send(url, delivery.put_token, archive, length, give_up))


def _write_archive(folder: Path, archive: IO[bytes]) -> int:
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if total > MOST_BYTES:
        raise DeliveryError(f"it has {size(total)}; the limit is {size(MOST_BYTES)}")
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, arcname=folder.name)
    return archive.tell()


async def _send(url: str, token: str, archive: IO[bytes], length: int, give_up: Callable[[], bool]) -> None:
    sending = asyncio.ensure_future(_attempts(url, token, archive, length))
    try:
        async with asyncio.timeout(WITHIN_S):
            while not sending.done():
                if give_up():
                    raise DeliveryError("interrupted")
                await asyncio.wait({sending}, timeout=POLL_S)
    except TimeoutError as error:
        raise DeliveryError(f"not accepted within {compact_duration(WITHIN_S)}") from error
    finally:
        sending.cancel()
    await sending


async def _attempts(url: str, token: str, archive: IO[bytes], length: int) -> None:
    headers = {"Content-Type": "application/gzip", "Content-Length": str(length)}
    if authorization := f"Bearer {token}" if token else basic_authorization(url):
        headers["Authorization"] = authorization
    async with _client() as client:
        for wait_s in (*WAITS_S, None):
            problem, is_final = await _attempt(client, without_credentials(url), headers, archive)
            if problem is None:
                return
            if is_final or wait_s is None:
                raise DeliveryError(problem)
            await asyncio.sleep(wait_s)


def _client() -> httpx2.AsyncClient:
    """Return a client that uses the proxies of the environment.

    Raises:
        DeliveryError: One of the proxies cannot be used.
    """
    try:
        # A redirect is not followed: it would send the token to another server.
        return httpx2.AsyncClient(timeout=30, follow_redirects=False)
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise DeliveryError(f"a proxy in the environment cannot be used: {without_credentials(str(error))}") from error


async def _attempt(
    client: httpx2.AsyncClient, url: str, headers: dict[str, str], archive: IO[bytes]
) -> tuple[str | None, bool]:
    """Send the archive once. Return the problem, and whether another attempt cannot help."""
    try:
        async with client.stream("PUT", url, headers=headers, content=_chunks(archive)) as response:
            status = response.status_code
    except httpx2.InvalidURL as error:
        return f"{shown_url(url)}: {error}", True
    except httpx2.TransportError as error:
        return f"{shown_url(url)} does not respond ({str(error) or type(error).__name__})", False
    if 200 <= status < 300:
        return None, True
    return f"{shown_url(url)} returned {status}", status not in _RETRIED


async def _chunks(archive: IO[bytes]) -> AsyncIterator[bytes]:
    archive.seek(0)
    while chunk := archive.read(_CHUNK_BYTES):
        yield chunk
