"""The addresses of clients and proxies, and the networks by which limits count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from starlette.types import Scope

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

PREFIX_BITS = {4: 24, 6: 64}
# IPv4 addresses in the form of IPv6, as a server sees them that listens on both.
MAPPED = IPv6Network("::ffff:0:0/96")
UNIX_SOCKET = "unix"


def read_address(text: str) -> IPAddress:
    """Return an address without its zone. An IPv4 address in the form of IPv6 is returned as IPv4.

    Raises:
        ValueError: The text is not an address.
    """
    found = ip_address(text)
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or IPv6Address(int(found))
    return found


def client_address(scope: Scope) -> str:
    """Return the address of the client of a request. Behind a trusted proxy, it is not that of the proxy.

    It is empty for a client at a Unix socket. `app/edge/forwarded.py` reads the headers of trusted proxies.
    """
    client = scope.get("client")
    if not client:
        return ""
    address: str = client[0]
    if ":" not in address:
        return address
    try:
        return str(read_address(address))
    except ValueError:
        return address


def address_prefix(address: str) -> str:
    """Return the network of a client: /24 of IPv4 or /64 of IPv6. Other names are returned unchanged."""
    try:
        parsed = read_address(address)
    except ValueError:
        return address
    return str(ip_network(f"{parsed}/{PREFIX_BITS[parsed.version]}", strict=False))


def limited_address(address: str) -> str:
    """Return the name under which the connections of an address count: the address, or its /64 of IPv6."""
    try:
        parsed = read_address(address)
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else address_prefix(address)


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The peers whose forwarding headers count: those in `networks` and, if `unix_sockets`, those at a Unix socket."""

    networks: tuple[IPNetwork, ...] = ()
    unix_sockets: bool = False

    @classmethod
    def parse(cls, items: Iterable[str]) -> Self:
        """Read addresses, networks and `unix`.

        Raises:
            ValueError: An item is none of them, or every address of a version is in one or several of them.
        """
        names = set(items)
        networks = tuple(_network(name) for name in sorted(names - {UNIX_SOCKET}))
        _refuse_every_address(networks)
        return cls(networks, UNIX_SOCKET in names)

    def __contains__(self, address: str) -> bool:
        """Return whether an address is in one of the networks."""
        try:
            parsed = read_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


def _network(text: str) -> IPNetwork:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            "must be addresses and networks such as 10.0.0.7 or 10.0.0.0/8 (no bit set after the prefix), or unix"
        ) from None
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ip_network(f"{mapped}/{network.prefixlen - MAPPED.prefixlen}")
    return network


def _refuse_every_address(networks: Sequence[IPNetwork]) -> None:
    version_4 = collapse_addresses([network for network in networks if isinstance(network, IPv4Network)])
    version_6 = collapse_addresses([network for network in networks if isinstance(network, IPv6Network)])
    merged: list[IPNetwork] = [*version_4, *version_6]
    if any(not network.prefixlen for network in merged):
        raise ValueError("must not contain every address, because each client could then invent its address")
