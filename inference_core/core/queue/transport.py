"""The Redis transport of kombu, extended for a full Redis, malformed messages in queues, and Redis Sentinel.

A full Redis still delivers messages, but cannot record which worker has them.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.functional import retry_over_time
from redis.exceptions import RedisError, ResponseError

from inference_core.core.queue.messages import carrier, envelope_problem
from inference_core.core.redis.master_connection import MasterConnection, MasterTlsConnection
from inference_core.core.redis.masters import Masters
from inference_core.core.redis.writable_connection import WritableConnection, WritableTlsConnection

log = logging.getLogger(__name__)

# Sentinel needs some seconds to make a replica the master, and half a minute before that by default.
RECORD_WITHIN_S = 60.0


class Broadcasts(redis.PrefixedRedisPubSub):
    """A subscription that returns only well-formed messages to the transport."""

    def parse_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply. A malformed broadcast is returned without its data, and the transport skips it."""
        answer = super().parse_response(*args, **options)  # type: ignore[no-untyped-call]
        if answer and answer[0] in (b"message", b"pmessage") and (problem := envelope_problem(answer[-1])):
            log.warning("a broadcast cannot be read: %s", problem)
            return [*answer[:-1], b""]
        return answer


class Client(redis.PrefixedStrictRedis):
    """A client that returns only well-formed messages to the transport."""

    def pubsub(self, **options: Any) -> Broadcasts:
        """Return a subscription."""
        return Broadcasts(self.connection_pool, global_keyprefix=self.global_keyprefix, **options)  # type: ignore[no-untyped-call]

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """Read a reply. A malformed message of a queue is returned inside a well-formed one."""
        answer = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not answer:
            return answer
        key, raw = answer
        problem = envelope_problem(raw)
        queue = key.decode(errors="replace").split(redis.Channel.sep)[0]
        return (key, raw) if problem is None else (key, carrier(raw, queue, problem))


class QoS(redis.QoS):
    """A set of delivered messages that loses no message which Redis has delivered, but cannot record."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record that this worker has the message.

        If Redis has just failed, the only copy of the message is here. The record then waits for Redis, or for the next
        master. A Redis that refuses writes is not waited for; the message is kept in memory only.
        """
        try:
            retry_over_time(  # type: ignore[no-untyped-call]
                super().append,
                redis.Transport.connection_errors,
                (message, delivery_tag),
                interval_start=0.1,
                interval_max=1.0,
                timeout=RECORD_WITHIN_S,
            )
        except ResponseError as error:
            log.warning("the broker cannot record the delivery of message %s: %s", delivery_tag, error)
            virtual.QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Return a message to its queue. The record of a message that cannot be read is removed."""
        try:
            super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            log.warning("the record of message %s cannot be read: %s", tag, type(error).__name__)
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """A channel that loses no message if Redis refuses writes, and that continues after malformed messages."""

    QoS = QoS
    connection_class = WritableConnection
    connection_class_ssl = WritableTlsConnection

    def _get_client(self) -> Any:
        super()._get_client()  # type: ignore[no-untyped-call]  # raises if redis-py is too old
        return partial(Client, global_keyprefix=self.global_keyprefix)

    def close(self) -> None:
        """Close the channel, also if its connection is lost.

        kombu stops at the first command that fails, and leaves this channel and others of the connection open. They
        could then not return or acknowledge a message, which would end the worker.
        """
        try:
            super().close()  # type: ignore[no-untyped-call]
        except (RedisError, OSError):
            self.auto_delete_queues.clear()  # their bindings cannot be deleted
            with suppress(RedisError, OSError):
                super().close()  # type: ignore[no-untyped-call]

    def _deliver_fanout_message(self, message: Any, exchange: str) -> bool:
        """Deliver a broadcast, such as a command of `celery control`."""
        try:
            return bool(super()._deliver_fanout_message(message, exchange))  # type: ignore[no-untyped-call]
        except (RedisError, OSError):
            raise
        except Exception:
            log.exception("a broadcast on %s cannot be read", exchange)
            return True


class SentinelChannel(Channel):
    """A channel whose connections lead to the current master. The transport option `masters` finds it."""

    from_transport_options = (*Channel.from_transport_options, "masters")  # type: ignore[assignment]
    connection_class = MasterConnection  # type: ignore[assignment]
    connection_class_ssl = MasterTlsConnection  # type: ignore[assignment]
    masters: Masters

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        return {**super()._connparams(asynchronous), "masters": self.masters}  # type: ignore[no-untyped-call]


class Transport(redis.Transport):
    """The transport for a server."""

    Channel = Channel


class SentinelTransport(redis.Transport):
    """The transport for the master of a Sentinel group."""

    Channel = SentinelChannel


def install() -> None:
    """Use these transports in this process."""
    transports = {"redis": Transport, "rediss": Transport, "sentinel": SentinelTransport}
    TRANSPORT_ALIASES.update({scheme: f"{__name__}:{kind.__name__}" for scheme, kind in transports.items()})
