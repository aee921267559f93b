"""Streams of server-sent events for a `BaseUser`."""

from loadgate.generator.client.sse import event_stream

__all__ = ["event_stream"]
