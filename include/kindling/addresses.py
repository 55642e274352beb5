"""Which addresses anybody on the internet could reach, and which only look so."""

import ipaddress

#: Ports that a picture is fetched from; a host that the settings name with a port has that one.
PORTS = frozenset({80, 443})

#: IANA IPv4 and IPv6 Special-Purpose Address Registries, multicast, and addresses by which
#: clouds reach their hypervisors. Whole blocks, though a few addresses inside some of them
#: are global: nobody keeps pictures there.
SPECIAL = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 "
        "192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 "
        "192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 "
        "224.0.0.0/4 240.0.0.0/4 168.63.129.16/32 "
        # IPv4-compatible and mapped, both kinds of NAT64, discard, protocol assignments
        # (Teredo, ORCHID, benchmarks), documentation, 6to4, segment routing.
        "::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/63 2001::/23 2001:db8::/32 "
        "2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8"
    ).split()
)
GLOBAL_V6 = ipaddress.ip_network("2000::/3")
#: The middle of an interface id that carries an IPv4 address (ISATAP, RFC 5214).
ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet could reach."""
    parsed = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    if mapped is not None:
        return is_public(str(mapped))
    if any(parsed in block for block in SPECIAL if block.version == parsed.version):
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if (int(parsed) >> 32) & 0xFFFF_FFFF in ISATAP or parsed not in GLOBAL_V6:
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved
