"""Time limits of connections to database servers, and the detection of a silent network."""

from __future__ import annotations

import socket
from typing import Any

CONNECT_TIMEOUT_S = 3.0
# The server ends a slow statement itself. After this time, it counts as silent.
SILENCE_MARGIN_S = 0.25
# A connection is closed if sent data are not acknowledged for this time, or if an idle peer does not answer keepalive
# probes for 25 s in total. Firewalls and address translation forget idle connections.
UNACKNOWLEDGED_MS = 5000
KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS}


def keep_alive(transport: Any) -> None:
    """Let the system notice that the other end of a TCP connection has become silent."""
    raw = transport.get_extra_info("socket")
    if raw is None or raw.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # each system has some of them
            raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
