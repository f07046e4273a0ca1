"""The client's address: the connection's, or the one that trusted proxies forward."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from chassis.addresses import parse_address
from chassis.settings import parse_proxies

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class TrustedProxies:
    """WSGI layer that replaces REMOTE_ADDR by the client's address as far as `X-Forwarded-For` can be believed.

    Each proxy appends the address that it saw, so the list is believed from its end: past as many proxies as there
    are, or past those of the trusted networks. What a client writes in front of that stays unread.
    """

    def __init__(self, app: Application, trusted: tuple[str, ...]) -> None:
        self._app = app
        self._trusted = parse_proxies(trusted)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = self._client(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""))
        return self._app(environ, start_response)

    def _client(self, sender: str, forwarded_for: str) -> str:
        client = parse_address(sender)
        for number, earlier in enumerate(reversed(forwarded_for.split(","))):
            address = parse_address(earlier)
            if address is None or not self._vouches(client, number):
                break
            client = address
        return str(client or sender)

    def _vouches(self, hop: IPv4Address | IPv6Address | None, number: int) -> bool:
        """Tell whether the `number`th hop, counted from us, is a proxy of ours."""
        if isinstance(self._trusted, int):
            return number < self._trusted
        return hop is not None and any(hop in network for network in self._trusted)
