from __future__ import annotations

import pytest
from flask import Flask, request

from chassis.http.proxies import TrustedProxies

SENDER = {"REMOTE_ADDR": "10.0.0.1"}


def seen(trusted: tuple[str, ...], forwarded_for: str | None) -> str:
    """Return the address that the application sees."""
    app = Flask("clients")
    app.add_url_rule("/", view_func=lambda: str(request.remote_addr))
    if trusted:
        app.wsgi_app = TrustedProxies(app.wsgi_app, trusted)  # type: ignore[method-assign]
    headers = {"X-Forwarded-For": forwarded_for} if forwarded_for is not None else {}
    return app.test_client().get("/", headers=headers, environ_overrides=SENDER).text


@pytest.mark.parametrize(
    ("trusted", "forwarded_for", "client"),
    [
        ((), "192.0.2.1", "10.0.0.1"),
        (("1",), None, "10.0.0.1"),
        (("1",), "192.0.2.1", "192.0.2.1"),
        (("1",), "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        (("2",), "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (("2",), "192.0.2.1", "192.0.2.1"),
        (("10.0.0.0/8",), "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (("10.0.0.0/8", "fd00::/8"), "2001:db8::1, fd00::2", "2001:db8::1"),
        (("10.0.0.1",), "6.6.6.6, 10.0.0.2", "10.0.0.2"),
        (("172.16.0.0/12",), "192.0.2.1", "10.0.0.1"),
        (("10.0.0.0/8",), "192.0.2.1, nonsense", "10.0.0.1"),
        (("10.0.0.0/8",), "nonsense, 192.0.2.1", "192.0.2.1"),
        (("1",), "", "10.0.0.1"),
        (("1",), "192.0.2.1\u00e9", "10.0.0.1"),
    ],
)
def test_client_address_comes_from_trusted_proxies_only(
    trusted: tuple[str, ...], forwarded_for: str | None, client: str
) -> None:
    assert seen(trusted, forwarded_for) == client
