from __future__ import annotations

import pytest
from flask import Flask, request

from chassis.http.proxies import TrustedProxies


def seen(trusted: tuple[str, ...], forwarded_for: str | None, sender: str = "10.0.0.1") -> str:
    """Return the address that the application sees."""
    app = Flask("clients")
    app.add_url_rule("/", view_func=lambda: str(request.remote_addr))
    if trusted:
        app.wsgi_app = TrustedProxies(app.wsgi_app, trusted)  # type: ignore[method-assign]
    headers = {"X-Forwarded-For": forwarded_for} if forwarded_for is not None else {}
    return app.test_client().get("/", headers=headers, environ_overrides={"REMOTE_ADDR": sender}).text


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


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("198.51.100.11:411", "198.51.100.11"),
        ("[2001:db8::1]:411", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:411", "192.0.2.1"),
        ("192.0.2.1:411, 10.0.0.2:80", "192.0.2.1"),
        ("192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"),
        ("192.0.2.1:", "10.0.0.1"),
        ("192.0.2:1", "10.0.0.1"),
        ("[192.0.2.1", "10.0.0.1"),
        ("[]:1", "10.0.0.1"),
        (":411", "10.0.0.1"),
    ],
)
@pytest.mark.parametrize("trusted", ["10.0.0.0/8", "::ffff:10.0.0.0/104"])
def test_addresses_are_compared_by_value_not_by_spelling(trusted: str, forwarded_for: str, client: str) -> None:
    assert seen((trusted,), forwarded_for) == client


@pytest.mark.parametrize("sender", ["::ffff:10.0.0.1", "::FFFF:0a00:1"])
def test_proxy_that_connects_to_an_ipv6_socket_by_ipv4_is_trusted(sender: str) -> None:
    assert seen(("10.0.0.1",), "192.0.2.1", sender) == "192.0.2.1"
