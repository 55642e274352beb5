"""Hosts besides the shop's own are asked at public addresses only: a page may name any address."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from kindling.addresses import is_public

__all__ = ["Resolve", "is_address", "is_public", "resolve"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


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
