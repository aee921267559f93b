"""The address and the scheme of clients behind trusted proxies, from `X-Forwarded-*` or `Forwarded` (RFC 7239).

Each proxy appends the peer that it saw. The entries are therefore read from the right, as long as trusted proxies wrote
them: the first entry that is not a trusted proxy is the client, and everything to its left is the client's own text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from inference_core.app.edge.drain import running_server
from inference_core.core.addresses import TrustedProxies, read_address
from inference_core.core.loggers import get_logger

log = get_logger(__name__)

FORWARDED = b"forwarded"
FORWARDED_FOR = b"x-forwarded-for"
FORWARDED_PROTO = b"x-forwarded-proto"
FORWARDING_HEADERS = frozenset({FORWARDED, FORWARDED_FOR, FORWARDED_PROTO})
SCHEMES = frozenset({"http", "https"})
# More entries than any chain of proxies has. Further ones are not read.
MOST_ENTRIES = 32
# Longer than any address with its port and the other parameters of a hop.
LONGEST_ENTRY = 512
LARGEST_PORT = 65_535
NODE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}|_[A-Za-z0-9._-]+))?")
BARE_IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
PARAMETER = re.compile(r'\s*([A-Za-z][A-Za-z0-9-]*)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))\s*')
UVICORN_TRUSTS = "127.0.0.1,::1"

Headers = Sequence[tuple[bytes, bytes]]


class Peer(NamedTuple):
    """One end of a connection. Port 0 means that the port is not known."""

    address: str
    port: int


class Entry(NamedTuple):
    """What a proxy wrote about its peer. `peer` is None for `unknown`, a name without an address and a wrong form."""

    peer: Peer | None
    scheme: str | None = None


@dataclass(slots=True)
class Forwarding:
    """The proxies that a process trusts, and what it has already logged about the others."""

    trusted: TrustedProxies = field(default_factory=TrustedProxies)
    ignored_was_logged: bool = False
    both_was_logged: bool = False

    def apply(self, scope: Scope, headers: Headers) -> bool:
        """Set the client and the scheme of a request with `headers`, which are in `FORWARDING_HEADERS`.

        Return whether the client is now known from a header. Headers of a peer that is not trusted change nothing.
        """
        if not self.trusts_peer(scope):
            self._log_ignored(scope)
            return False
        client = scheme = None
        for entry in self._entries(headers):
            scheme = entry.scheme or scheme
            if entry.peer is None:
                break
            client = entry.peer
            if client.address not in self.trusted:
                break
        if scheme is not None:
            scope["scheme"] = scheme
        if client is not None:
            scope["client"] = client
        return client is not None

    def trusts_peer(self, scope: Scope) -> bool:
        """Return whether the peer of the connection is a trusted proxy."""
        client = scope.get("client")
        if client:
            return client[0] in self.trusted
        # Only a Unix socket has no port. A peer that is already gone also has no address.
        server = scope.get("server")
        return self.trusted.unix_sockets and server is not None and server[1] is None

    def _entries(self, headers: Headers) -> Iterator[Entry]:
        """Return the entries, the last one first: those of `X-Forwarded-*` if there is any, else of `Forwarded`.

        Most proxies set `X-Forwarded-*` and pass on a `Forwarded` that the client invented.
        """
        names = {name for name, _ in headers}
        if names == {FORWARDED}:
            return map(_forwarded_entry, _last_first(headers, FORWARDED))
        if FORWARDED in names:
            self._log_both()
        return _x_forwarded_entries(headers)

    def _log_both(self) -> None:
        if self.both_was_logged:
            return
        self.both_was_logged = True
        log.warning(
            "two_forwarding_headers",
            detail="A trusted proxy passes on X-Forwarded-* and Forwarded. Forwarded is ignored. "
            "Let the proxy remove the headers that it does not set, or clients can invent their addresses.",
        )

    def _log_ignored(self, scope: Scope) -> None:
        if self.ignored_was_logged:
            return
        self.ignored_was_logged = True
        client = scope.get("client")
        log.warning(
            "forwarding_headers_ignored",
            peer=client[0] if client else "unix",
            detail="A request has X-Forwarded-For, X-Forwarded-Proto or Forwarded, but its peer is not in "
            "TRUSTED_PROXIES. If the peer is a proxy of this service, add it, or all its clients count as one.",
        )


def _last_first(headers: Headers, name: bytes) -> Iterator[str]:
    """Return the list items of a header, the last one first. Empty items do not count."""
    whole = b",".join(value for header, value in headers if header == name)
    # Commas in quoted parameters also split. What remains has no valid form and ends the list of hops.
    for item in reversed(whole.rsplit(b",", MOST_ENTRIES)):
        if text := item.decode("latin-1").strip(" \t"):
            yield text


def _x_forwarded_entries(headers: Headers) -> Iterator[Entry]:
    """Return the entries of `X-Forwarded-For`. The scheme is that of the nearest proxy."""
    scheme = _scheme(next(_last_first(headers, FORWARDED_PROTO), ""))
    yield from (Entry(_peer(text), scheme) for text in _last_first(headers, FORWARDED_FOR))
    yield Entry(None, scheme)


def _forwarded_entry(text: str) -> Entry:
    """Read the `for` and `proto` parameters of one hop in `Forwarded`."""
    values: dict[str, str] = {}
    for parameter in text.split(";") if len(text) <= LONGEST_ENTRY else ["too long"]:
        match = PARAMETER.fullmatch(parameter)
        if match is None or match[1].lower() in values:
            return Entry(None)
        values[match[1].lower()] = match[3] or re.sub(r"\\(.)", r"\1", match[2])
    return Entry(_peer(values.get("for", "")), _scheme(values.get("proto", "")))


def _peer(text: str) -> Peer | None:
    """Read an address with or without a port. None for everything else."""
    if len(text) > LONGEST_ENTRY:
        return None
    match = NODE.fullmatch(text)
    if match is None and not BARE_IPV6.fullmatch(text):
        return None
    try:
        address = read_address((match[1] or match[2]) if match else text)
    except ValueError:
        return None
    port = int(match[3]) if match and match[3] and match[3].isdigit() else 0
    return Peer(str(address), port) if port <= LARGEST_PORT else None


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in SCHEMES else None


def leave_forwarding_to_the_service() -> None:
    """Remove uvicorn's own reader of these headers from the running server, so that there is one list of proxies."""
    server = running_server()
    if server is None:
        return
    if isinstance(server.config.loaded_app, ProxyHeadersMiddleware):
        server.config.loaded_app = server.config.loaded_app.app
    if server.config.forwarded_allow_ips != UVICORN_TRUSTS:
        log.warning(
            "forwarded_allow_ips_ignored",
            detail="FORWARDED_ALLOW_IPS and --forwarded-allow-ips have no effect. Set TRUSTED_PROXIES.",
        )
