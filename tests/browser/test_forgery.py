"""A page of somebody else, open in the same browser, changes nothing in the shop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from browser.database import Databases
from browser.other_site import STOPS_REFERRER, Forgery, OtherSite, other_site
from browser.visitor import ADDRESS, COUNTRY, PASSWORD, Visit, Visitor

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


@pytest.fixture
def site() -> Iterator[OtherSite]:
    with other_site() as site:
        yield site


def forgeries(victim: Visitor, order_id: str) -> list[Forgery]:
    """Return a form for every POST of both services, with what would be valid."""
    address = {**ADDRESS, "country": COUNTRY}
    password = {"current_password": PASSWORD, "new_password": PASSWORD}
    forms: dict[str, dict[str, str]] = {
        "/shop/checkout": {**address, "to": "other", "total": "1999", "key": "forged"},
        "/shop/basket": {"product_id": "p1", "qty": "7", "do": "add"},
        f"/shop/orders/{order_id}/cancel": {},
        "/account": {"name": "Forged", "phone": "", "email": ""},
        "/account/address": address,
        "/account/devices": {},
        "/account/password": password,
        "/account/sign-out": {},
        "/account/sign-in?next=/account": {"username": "mallory", "password": PASSWORD},
        "/account/sign-up?next=/account": {"username": f"{victim.username}x", "password": PASSWORD},
        "/account/renew?next=/shop/checkout": {**address, "to": "other", "total": "1999", "key": "forged"},
        "/account/renew?next=/account": {"name": "Forged", "phone": "", "email": ""},
        "/account/delete": {"password": PASSWORD},
    }
    return [Forgery(victim.url(path), fields) for path, fields in forms.items()]


def state(databases: Databases, victim: Visitor) -> list[Any]:
    """Return what the databases and the browser know of the victim."""
    user = databases.query(
        "user_service",
        "SELECT id, name, password_hash, shipping_address, deleted_at FROM users WHERE username = %(name)s",
        name=victim.username,
    )
    owner = {"id": user[0][0]}
    sessions = databases.query("user_service", "SELECT id, ended_at FROM sessions WHERE user_id = %(id)s", **owner)
    orders = databases.query("order_service", "SELECT id, status FROM orders WHERE buyer_id = %(id)s", **owner)
    accounts = databases.query("user_service", "SELECT count(*) FROM users")
    cookies = {cookie["name"]: cookie["value"] for cookie in victim.context.cookies(victim.url("/shop"))}
    return [user, sorted(sessions), sorted(orders), accounts, cookies]


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
    order_id = victim.order("p2")
    victim.add("p1")
    before = state(databases, victim)
    site.referrer_policy = policy
    for forgery in forgeries(victim, order_id):
        site.page = forgery.form()
        victim.page.goto(f"http://{host}:{site.port}/")
        if "/account/renew" not in forgery.url:  # to read it renews the visitor's own token, which harms nobody
            victim.evaluate(LOAD, forgery.url)
        victim.evaluate(FETCH, list(forgery))
        assert state(databases, victim) == before, forgery.url
        with victim.page.expect_navigation() as navigation:
            victim.page.get_by_role("button").click()
        assert navigation.value.status == 403, forgery.url
        assert victim.heading == "That is not allowed"
        assert state(databases, victim) == before, forgery.url
    victim.open("/shop/orders")
    assert victim.heading == "Your orders"


def test_same_forms_from_the_shop_itself_do_change_something(victim: Visitor, databases: Databases) -> None:
    order_id = victim.order("p2")
    victim.add("p1")
    for forgery in forgeries(victim, order_id):
        if "/account/renew" in forgery.url or "sign-" in forgery.url:
            continue  # they lead to the others, or to another account
        before = state(databases, victim)
        victim.open("/account" if "/account" in forgery.url else "/shop")
        victim.page.locator("main").evaluate("(main, form) => { main.innerHTML = form; }", forgery.form())
        victim.press("Win a prize")
        assert state(databases, victim) != before, forgery.url
