"""Which URLs a webhook may have, how often a delivery is tried, and the ids of webhooks and events."""

from __future__ import annotations

import random
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from chassis.problems import InvalidRequest, NotFound

_KEY = re.compile(r"[0-9a-f]{32}")
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10, 6 * 3600

# Only 2000::/3 is in use for the internet. Of these parts of it, two lead to IPv4 addresses, private ones included, and
# one is for documents.
_INTERNET6 = IPv6Network("2000::/3")
_OTHER6 = (IPv6Network("2001::/23"), IPv6Network("2002::/16"), IPv6Network("3fff::/20"))

# Assigned to protocols; Python before 3.11.9 takes parts of it for public.
_PROTOCOLS = IPv4Network("192.0.0.0/24")


class BadUrl(InvalidRequest):
    code = "bad_webhook_url"


def uuid_of(public_id: str, prefix: str) -> UUID:
    """Return the UUID in an id such as w-0199…; raise NotFound for malformed ids."""
    found = public_id.removeprefix(prefix)
    if found == public_id or not _KEY.fullmatch(found):
        raise NotFound
    return UUID(found)


def pause_seconds(attempts: int) -> float:
    """Return the seconds after a failed attempt until the next one: 10, 20, 40 and so on, at most six hours."""
    pause = FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 20)
    return min(pause, LONGEST_PAUSE_SECONDS) * random.uniform(1, 1.2)  # noqa: S311 - jitter


def parse_url(url: str, *, local: bool) -> SplitResult:
    """Return the parts of an endpoint's URL; raise BadUrl with what to change."""
    if not _URL_CHARACTERS.fullmatch(url):
        raise BadUrl("url: write it in ASCII without spaces, a name such as bücher.example as xn--bcher-kva.example")
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError as failure:
        raise BadUrl("url: host or port cannot be read; write it as https://hooks.example.com/orders") from failure
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise BadUrl("url: must begin with https://")
    if not parts.hostname or port == 0:
        raise BadUrl("url: has no host; write it as https://hooks.example.com/orders")
    if parts.username is not None or parts.password is not None:
        raise BadUrl("url: leave out the name and password before the @; verify the signature of a delivery instead")
    if parts.fragment:
        raise BadUrl("url: leave out what follows the #; it is never sent")
    _refuse_private_literal(parts.hostname, local=local)
    return parts


def _refuse_private_literal(host: str, *, local: bool) -> None:
    try:
        address = ip_address(host)
    except ValueError:
        return  # a name: what it resolves to is checked for each attempt
    if not may_connect(address, local=local):
        raise BadUrl(f"url: {host} is no public address of the internet, and deliveries go to no others")


def may_connect(address: IPv4Address | IPv6Address, *, local: bool) -> bool:
    """Tell whether deliveries may go to the address: a public one, or with `local` one of this machine."""
    if local and address.is_loopback:
        return True
    if isinstance(address, IPv6Address) and (
        address not in _INTERNET6 or any(address in network for network in _OTHER6)
    ):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address in _PROTOCOLS)
