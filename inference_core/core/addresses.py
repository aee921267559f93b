"""The networks of clients, by which limits count."""

from __future__ import annotations

import ipaddress

PREFIX_BITS = {4: 24, 6: 64}


def address_prefix(address: str) -> str:
    """Return the network of a client: /24 of IPv4 or /64 of IPv6. Other names are returned unchanged."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network(f"{parsed}/{PREFIX_BITS[parsed.version]}", strict=False))
