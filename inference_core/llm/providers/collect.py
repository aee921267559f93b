"""Combine the pieces of an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from inference_core.llm.types import ProviderItem, Reply, Token, Usage


async def collect(stream: AsyncGenerator[ProviderItem, None]) -> Reply:
    """Return the complete answer of a stream."""
    pieces: list[str] = []
    usage = Usage(0, 0)
    async with aclosing(stream) as items:
        async for item in items:
            if isinstance(item, Token):
                pieces.append(item.content)
            elif isinstance(item, Usage):
                usage = item
    return Reply("".join(pieces), usage)
