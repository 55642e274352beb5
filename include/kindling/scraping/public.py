"""Hosts besides the shop's own are asked at public addresses only: a page may name any address."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

#: IPv6 ranges that carry an IPv4 address inside: global by themselves, whatever they lead to.
_TRANSLATED = tuple(
    map(
        ipaddress.ip_network,
        ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"),
    )
)


async def resolve(host: str, port: int) -> list[str]:
    """IP addresses of the host, IPv4 first; OSError where it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )
    addresses = {str(entry[4][0]) for entry in found}
    return sorted(addresses, key=lambda address: (":" in address, address))


def is_address(host: str) -> bool:
    """Whether the host is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether anybody on the internet could reach this IP address."""
    parsed = ipaddress.ip_address(address.split("%")[0])
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if parsed.version == 6 and any(parsed in network for network in _TRANSLATED):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved
