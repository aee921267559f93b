"""kombu's Redis transport, for a Redis that is full and for queues that hold what is no message.

A Redis that is full still hands out messages, but takes no note of who has them.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import RedisError, ResponseError

from inference_core.celery.messages import carrier, envelope_problem

log = logging.getLogger(__name__)


class Broadcasts(redis.PrefixedRedisPubSub):
    """A subscription that gives the transport well-formed messages only."""

    def parse_response(self, *args: Any, **options: Any) -> Any:
        """Read what came; a broadcast that is no message comes without its data, which the transport passes over."""
        answer = super().parse_response(*args, **options)  # type: ignore[no-untyped-call]
        if answer and answer[0] in (b"message", b"pmessage") and (problem := envelope_problem(answer[-1])):
            log.warning("a broadcast cannot be read: %s", problem)
            return [*answer[:-1], b""]
        return answer


class Client(redis.PrefixedStrictRedis):
    """A client that gives the transport well-formed messages only."""

    def pubsub(self, **options: Any) -> Broadcasts:
        """A subscription."""
        return Broadcasts(self.connection_pool, global_keyprefix=self.global_keyprefix, **options)  # type: ignore[no-untyped-call]

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """Read an answer; what was popped from a queue and is no message comes inside of one."""
        answer = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not answer:
            return answer
        key, raw = answer
        problem = envelope_problem(raw)
        queue = key.decode(errors="replace").split(redis.Channel.sep)[0]
        return (key, raw) if problem is None else (key, carrier(raw, queue, problem))


class QoS(redis.QoS):
    """Keeps a message that Redis has handed out in mind alone where Redis cannot note it; dropped it would be lost."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note that this worker has the message."""
        try:
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            log.warning("the broker does not note who has message %s: %s", delivery_tag, error)
            virtual.QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Give a message back to its queue; a note of one that cannot be read is removed."""
        try:
            super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            log.warning("the note of message %s cannot be read: %s", tag, type(error).__name__)
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """A channel whose messages no refusal of Redis loses, and which no message ends."""

    QoS = QoS

    def _get_client(self) -> Any:
        super()._get_client()  # type: ignore[no-untyped-call]  # raises if redis-py is too old
        return partial(Client, global_keyprefix=self.global_keyprefix)

    def _deliver_fanout_message(self, message: Any, exchange: str) -> bool:
        """Hand a broadcast, such as a command of `celery control`, to its reader."""
        try:
            return bool(super()._deliver_fanout_message(message, exchange))  # type: ignore[no-untyped-call]
        except (RedisError, OSError):
            raise
        except Exception:
            log.exception("a broadcast on %s cannot be read", exchange)
            return True


class Transport(redis.Transport):
    """The transport of the service's workers."""

    Channel = Channel


def install() -> None:
    """Have this process use it for `redis://` and `rediss://`."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
