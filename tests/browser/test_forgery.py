"""A page of somebody else, open in the same browser, changes nothing in the shop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from service_apps import MAKERS
from werkzeug.exceptions import NotFound

from browser.database import Databases
from browser.other_site import STOPS_REFERRER, Forgery, OtherSite, other_site
from browser.visitor import ADDRESS, COUNTRY, PASSWORD, Visit, Visitor
from chassis.pages.blueprint import Pages
from chassis.testing.http import closing

# 127.0.0.1 is another site than localhost: no cookie of the shop goes there. Another port is another origin only.
ORIGINS = {"another site": "127.0.0.1", "another port": "localhost"}
FETCH = """async ([url, fields]) => {
    try {
        const body = new URLSearchParams(fields);
        await fetch(url, { method: "POST", mode: "no-cors", credentials: "include", body });
    } catch (refused) {
        console.log(refused);
    }
}"""
LOAD = """(url) => new Promise((done) => {
    const image = new Image();
    image.onload = image.onerror = done;
    image.src = url;
})"""


# These lead to the other forms or to another account, or need a passkey, a code, a mail, the role of staff or an order
# that waits; the tests of these pages send them.
NEED_MORE = (
    *("/renew", "/sign-", "/passkeys", "/second-factor", "/email/", "/password/"),
    *("/backoffice", "/pay", "/test-payment"),
)
OF_STAFF = [
    *("/account/backoffice/customers/u-1", "/account/backoffice/customers/u-1/sessions"),
    *("/backoffice/new-product", "/backoffice/products/p1", "/backoffice/products/p1/active"),
    *("/backoffice/products/p1/stock", "/backoffice/import", "/backoffice/webhooks", "/backoffice/webhooks/w-1"),
    *(f"/backoffice/orders/o-1/{action}" for action in ("ship", "tracking", "deliver", "cancel", "contact", "refund")),
    "/backoffice/orders/o-1/refunds/r-1/retry",
    *("/backoffice/shipping/method", "/backoffice/shipping/method/delete", "/backoffice/shipping/import"),
    *("/backoffice/shipping/rate", "/backoffice/shipping/rate/delete"),
    *("/backoffice/webhooks/w-1/secret", "/backoffice/webhooks/w-1/delete", "/backoffice/webhooks/w-1/replay"),
]


@pytest.fixture
def site() -> Iterator[OtherSite]:
    with other_site() as site:
        yield site


def forgeries(victim: Visitor, order_id: str) -> list[Forgery]:
    """Return a form for every POST of both services, with what would be valid."""
    address = {**ADDRESS, "country": COUNTRY}
    delivery = {**address, "email": "mallory@example.com", "to": "other", "key": "forged"}
    delivery |= {"shipping_method": "standard", "total": str(1999 + 490)}
    password = {"current_password": PASSWORD, "new_password": PASSWORD}
    forms: dict[str, dict[str, str]] = {
        "/shop/checkout": delivery,
        "/shop/basket": {"product_id": "p1", "qty": "7", "do": "add"},
        f"/shop/orders/{order_id}/cancel": {},
        f"/shop/orders/{order_id}/pay": {},
        "/shop/test-payment/forged": {"do": "approve"},
        "/account": {"name": "Forged", "phone": "", "email": ""},
        "/account/address": address,
        "/account/devices": {},
        "/account/password": password,
        "/account/sign-out": {},
        "/account/sign-in?next=/account": {"username": "mallory", "password": PASSWORD},
        "/account/sign-up?next=/account": {"username": f"{victim.username}x", "password": PASSWORD},
        "/account/renew?next=/shop/checkout": delivery,
        "/account/renew?next=/account": {"name": "Forged", "phone": "", "email": ""},
        "/account/passkeys/options": {"name": "Forged", "current_password": PASSWORD},
        "/account/passkeys/add": {"name": "Forged"},
        "/account/passkeys/AAAA/name": {"name": "Forged"},
        "/account/passkeys/AAAA/remove": {"current_password": PASSWORD},
        "/account/passkeys/sign-in/options": {},
        "/account/passkeys/sign-in": {},
        "/account/delete": {"password": PASSWORD},
        "/account/sign-in/code": {"otp": "123456"},
        "/account/password/forgotten": {"email": "mallory@example.com"},
        "/account/password/new": {"token": "forged", "new_password": PASSWORD},
        "/account/email/confirm": {"token": "forged"},
        "/account/email/again": {},
        "/account/second-factor": {"password": PASSWORD},
        "/account/second-factor/confirm": {"otp": "123456"},
        "/account/second-factor/codes": {"password": PASSWORD, "otp": "123456"},
        "/account/second-factor/off": {"password": PASSWORD, "otp": "123456"},
        **{key: {} for key in OF_STAFF},
    }
    return [Forgery(victim.url(path), fields) for path, fields in forms.items()]


def test_every_page_that_changes_something_is_attacked(visit: Visit) -> None:
    paths = [urlsplit(forgery.url).path for forgery in forgeries(visit(), "order")]
    for make in MAKERS.values():
        with closing(make()) as app:
            urls, attacked = app.url_map.bind("localhost"), set()
            for path in paths:
                with suppress(NotFound):
                    attacked.add(urls.match(path, "POST")[0])
            changing = {rule.endpoint for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
            pages = {each for each in changing if isinstance(app.blueprints.get(each.rpartition(".")[0]), Pages)}
            assert pages
            assert pages - attacked == set()


def id_of(databases: Databases, victim: Visitor) -> str:
    found = databases.query("user_service", "SELECT id FROM users WHERE username = %(name)s", name=victim.username)
    return str(found[0][0])


def state(databases: Databases, victim: Visitor, user_id: str) -> list[Any]:
    """Return what the databases and the browser know of the victim."""
    known = "SELECT name, password_hash, shipping_address, deleted_at FROM users WHERE id = %(id)s"
    sessions = "SELECT id, ended_at FROM sessions WHERE user_id = %(id)s ORDER BY id"
    orders = "SELECT id, status FROM orders WHERE buyer_id = %(id)s ORDER BY id"
    cookies = {cookie["name"]: cookie["value"] for cookie in victim.context.cookies(victim.url("/shop"))}
    return [
        databases.query("user_service", known, id=user_id),
        databases.query("user_service", sessions, id=user_id),
        databases.query("user_service", "SELECT count(*) FROM users"),
        databases.query("order_service", orders, id=user_id),
        cookies,
    ]


@pytest.fixture
def victim(visit: Visit) -> Visitor:
    """Return a customer with an order, something in the basket, and two devices, who visits other sites too."""
    victim, second = visit(guarded=False), visit()
    victim.join()
    second.username = victim.username
    second.open("/account/sign-in")
    second.sign_in()
    return victim


@pytest.mark.parametrize("policy", ["", STOPS_REFERRER], ids=["with referrer", "without referrer"])
@pytest.mark.parametrize("host", ORIGINS.values(), ids=ORIGINS)
def test_page_of_another_origin_changes_nothing(
    victim: Visitor, databases: Databases, site: OtherSite, host: str, policy: str
) -> None:
    order_id, user_id = victim.order("p2"), id_of(databases, victim)
    victim.add("p1")
    before = state(databases, victim, user_id)
    site.referrer_policy = policy
    for forgery in forgeries(victim, order_id):
        site.page = forgery.form()
        victim.page.goto(f"http://{host}:{site.port}/")
        if "/account/renew" not in forgery.url:  # to read it renews the visitor's own token, which harms nobody
            victim.evaluate(LOAD, forgery.url)
        victim.evaluate(FETCH, list(forgery))
        assert state(databases, victim, user_id) == before, forgery.url
        with victim.page.expect_navigation() as navigation:
            victim.page.get_by_role("button").click()
        assert navigation.value.status == 403, forgery.url
        assert victim.heading == "That is not allowed"
        assert state(databases, victim, user_id) == before, forgery.url
    victim.open("/shop/orders")
    assert victim.heading == "Your orders"


def test_same_forms_from_the_shop_itself_do_change_something(victim: Visitor, databases: Databases) -> None:
    order_id, user_id = victim.order("p2"), id_of(databases, victim)
    victim.add("p1")
    for forgery in forgeries(victim, order_id):
        if any(part in forgery.url for part in NEED_MORE):
            continue
        before = state(databases, victim, user_id)
        victim.open("/account" if "/account" in forgery.url else "/shop")
        victim.page.locator("main").evaluate("(main, form) => { main.innerHTML = form; }", forgery.form())
        victim.press("Win a prize")
        assert state(databases, victim, user_id) != before, forgery.url
