"""The Redis transport of kombu, which loses no message between Redis and a worker, and supports Redis Sentinel.

kombu takes a message with BRPOP, and records afterwards which worker has it. If the connection, the worker or the
server fails in between, the message is lost. Here, a script does both in one step.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from queue import Empty
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.json import loads
from redis.exceptions import RedisError, ResponseError

from inference_core.core.queue.messages import carrier, envelope_problem
from inference_core.core.redis.master_connection import MasterConnection, MasterTlsConnection
from inference_core.core.redis.masters import Masters
from inference_core.core.redis.scripts import read_script
from inference_core.core.redis.writable_connection import WritableConnection, WritableTlsConnection

log = logging.getLogger(__name__)

PACKAGE = "inference_core.core.queue"
SENT_KEY = "messages_sent"
"""A stream with one entry, which is replaced with each message that is sent or returned to a queue."""


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
    """A client whose subscriptions return only well-formed messages to the transport."""

    def pubsub(self, **options: Any) -> Broadcasts:
        """Return a subscription."""
        return Broadcasts(self.connection_pool, global_keyprefix=self.global_keyprefix, **options)  # type: ignore[no-untyped-call]


class QoS(redis.QoS):
    """The messages that this worker has taken and not acknowledged."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Add a message. The channel has recorded in Redis the one that it delivers."""
        if delivery_tag == self.channel.delivering:
            virtual.QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]
        else:
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Return a message to its queue. The record of a message that cannot be read is removed."""
        try:
            super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            log.warning("the record of message %s cannot be read: %s", tag, type(error).__name__)
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]


class Commands(list[tuple[str, tuple[Any, ...]]]):
    """Redis commands, as kombu adds them to a batch of messages."""

    def add(self, name: str, *arguments: Any) -> None:
        """Add a command: a method of a pipeline, and its arguments."""
        self.append((name, arguments))


class Channel(redis.Channel):
    """A channel that takes and records a message in one step, and that continues after malformed messages.

    A script cannot wait. If its queues are empty, the channel therefore waits for the next entry of a stream, which
    takes nothing from Redis. The entries of older versions are missing, so it reads the queues at least every
    `brpop_timeout` seconds.
    """

    QoS = QoS
    connection_class = WritableConnection
    connection_class_ssl = WritableTlsConnection
    from_transport_options = (*redis.Channel.from_transport_options, "unanswered")  # type: ignore[assignment]
    # The delivery tags of scripts whose replies were lost. The channels of an application share the list.
    unanswered: list[str]
    # The delivery tag of the script that was sent, until its reply has been read.
    asked: str | None = None
    # The delivery tag of the recorded message that is being delivered.
    delivering: str | None = None
    # The last entry in the stream when the queues were empty. None if they may have messages.
    waits_after: bytes | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        self.without_acknowledgement: set[str] = set()
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **options: Any) -> Any:
        """Consume the messages of a queue."""
        (self.without_acknowledgement.add if no_ack else self.without_acknowledgement.discard)(queue)
        return super().basic_consume(queue, no_ack, *args, **options)  # type: ignore[no-untyped-call]

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for a message, or wait until one is sent. kombu calls this when the channel can take a message."""
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        self._return_unanswered()
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()  # type: ignore[assignment]  # kombu is typed in part
        if self.waits_after is None:
            self.asked = str(uuid4())
            connection.send_command(*self._take(queues, self.asked))
        else:
            block_ms = round((timeout or self.brpop_timeout) * 1000)
            connection.send_command("XREAD", "BLOCK", block_ms, "STREAMS", self._key(SENT_KEY), self.waits_after)

    def _take(self, queues: Sequence[str], tag: str) -> list[str | int]:
        """Return the command that takes a message from the first queue that has one, by priority."""
        order = [(queue, priority) for priority in self.priority_steps for queue in queues]
        lists = [self._q_for_pri(queue, priority) for queue, priority in order]  # type: ignore[no-untyped-call]
        ends = ["" if queue in self.without_acknowledgement else f',"",{json.dumps(queue)}]' for queue, _ in order]
        keys = [self._key(name) for name in (self.unacked_key, self.unacked_index_key, SENT_KEY, *lists)]
        return ["EVAL", read_script(PACKAGE, "take_message"), len(keys), *keys, tag, *ends]

    def _brpop_read(self, **options: Any) -> bool:
        """Read the reply and deliver the message.

        Raises:
            Empty: There is none.
        """
        try:
            try:
                reply = self.client.parse_response(self.client.connection, "EVAL", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            tag, self.asked, self.waits_after = self.asked, None, None
            if tag is None:  # the wait has ended
                raise Empty
            if isinstance(reply, bytes):
                self.waits_after = reply
                raise Empty
            key, raw = reply
            self._deliver_taken(key, raw, tag)
            return True
        finally:
            self._in_poll = None  # type: ignore[assignment]
            self._flush_brpop_reauth()  # type: ignore[no-untyped-call]

    def _deliver_taken(self, key: bytes, raw: bytes, tag: str) -> None:
        """Deliver a message that the script has recorded. A malformed one is delivered inside a well-formed one."""
        queue = key.decode(errors="replace").removeprefix(self.global_keyprefix).rsplit(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        problem = envelope_problem(raw)
        message = loads(raw if problem is None else carrier(raw, queue, problem))  # type: ignore[no-untyped-call]
        message["properties"]["delivery_tag"] = self.delivering = tag
        try:
            self.connection._deliver(message, queue)  # noqa: SLF001  # as in kombu
        finally:
            self.delivering = None

    def _return_unanswered(self) -> None:
        """Return to their queues the messages that were taken by scripts whose replies were lost."""
        self._keep_unanswered()
        while self.unanswered:
            try:
                self.qos.restore_by_tag(self.unanswered[0])
            except ResponseError as error:
                log.warning("message %s is returned after the visibility timeout: %s", self.unanswered[0], error)
            self.unanswered.pop(0)

    def _keep_unanswered(self) -> None:
        if self.asked is not None:
            self.unanswered.append(self.asked)
            self.asked = None

    def _put(self, queue: str, message: Any, *, _publish_batch: Any = None, **options: Any) -> None:
        """Send a message, and end the wait of workers."""
        commands = Commands() if _publish_batch is None else _publish_batch
        super()._put(queue, message, _publish_batch=commands, **options)  # type: ignore[no-untyped-call]
        commands.add("xadd", *self._sent_entry(queue))
        if _publish_batch is None:
            with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
                for name, arguments in commands:
                    getattr(pipe, name)(*arguments)
                pipe.execute()

    def _do_restore_message(
        self, payload: Any, exchange: str, routing_key: str, pipe: Any, leftmost: bool = False
    ) -> None:
        """Return a message to its queue, and end the wait of workers."""
        super()._do_restore_message(payload, exchange, routing_key, pipe, leftmost)  # type: ignore[no-untyped-call]
        pipe.xadd(*self._sent_entry(routing_key))

    def _sent_entry(self, queue: str) -> tuple[str, dict[str, str], str, int, bool]:
        """Return the arguments of `xadd` that replace the entry of the stream."""
        return self._key(SENT_KEY), {"queue": queue}, "*", 1, False

    def _key(self, name: str) -> str:
        # kombu adds the prefix only for the commands that it uses itself.
        return f"{self.global_keyprefix}{name}"

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
        self._keep_unanswered()

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
