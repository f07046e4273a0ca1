"""Read IP addresses in the spellings that sockets and gateways write."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

_WITH_PORT = re.compile(r"\[(?P<ipv6>[^\]]+)\](:\d+)?|(?P<ipv4>[0-9.]+):\d+")


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address without its port, brackets or zone; None when the text is no address.

    An IPv4-mapped IPv6 address, which a socket that listens on `::` reports for IPv4, becomes the IPv4 address.
    """
    text = text.strip()
    if spelled := _WITH_PORT.fullmatch(text):
        text = spelled["ipv6"] or spelled["ipv4"]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
