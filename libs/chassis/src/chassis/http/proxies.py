"""Find the client's address behind trusted proxies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from chassis.addresses import parse_address
from chassis.settings import parse_proxies

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class TrustedProxies:
    """WSGI middleware that sets REMOTE_ADDR to the client's address from `X-Forwarded-For`.

    Each proxy appends the address of its sender, so the list is read from its end: over the configured number of
    proxies, or over proxies in trusted networks. Earlier entries may be forged by the client and are ignored.
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
            if address is None or not self._is_trusted(client, number):
                break
            client = address
        return str(client or sender)

    def _is_trusted(self, hop: IPv4Address | IPv6Address | None, number: int) -> bool:
        """Tell whether this hop is a trusted proxy; `number` counts hops from this server, starting at 0."""
        if isinstance(self._trusted, int):
            return number < self._trusted
        return hop is not None and any(hop in network for network in self._trusted)
