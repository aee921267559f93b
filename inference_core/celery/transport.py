"""kombu's Redis transport, for a Redis that is full: it still hands out messages, but takes no note of who has them."""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import ResponseError

log = logging.getLogger(__name__)


class QoS(redis.QoS):
    """Keeps a message that Redis has handed out in mind alone where Redis cannot note it; dropped it would be lost."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note that this worker has the message."""
        try:
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            log.warning("the broker does not note who has message %s: %s", delivery_tag, error)
            virtual.QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """A channel whose messages no refusal of Redis loses."""

    QoS = QoS


class Transport(redis.Transport):
    """The transport of the service's workers."""

    Channel = Channel


def install() -> None:
    """Have this process use it for `redis://` and `rediss://`."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
