"""Crash before and after each write of staff to an order: it happens once or not at all."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from chaos import failpoints
from chaos.environment import Environment, bearer, open_session
from chaos.failpoints import Deed
from chaos.report import Outcome
from chaos.test_catalogue import insist, staff

ADDRESS = {"street": "Main Street 1", "city": "Berlin", "country": "DE"}
LAMP = {"name": "Lamp", "category": "Home", "price": 5, "currency": "EUR", "stock": 5}
PAY = """
WITH o AS (
    UPDATE orders SET payment_status = 'paid', paid_minor = total_minor WHERE id = %(id)s RETURNING *
)
INSERT INTO payments (order_id, provider, provider_id, amount_minor, currency, status, accepted, paid_minor, paid_at)
SELECT id, 'test', id::text, total_minor, currency, 'paid', true, total_minor, now() FROM o
"""
PAY_TWICE = """
WITH second AS (
    INSERT INTO payments
        (order_id, provider, reference, amount_minor, currency, status, paid_minor, paid_currency, paid_at)
    SELECT id, 'test', id || '-2', total_minor, currency, 'paid', total_minor, currency, now()
    FROM orders WHERE id = %(id)s
    RETURNING *
)
INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason, status, failure, finished_at)
SELECT order_id, id, amount_minor, currency, 'duplicate', 'failed', 'account closed', now() FROM second
RETURNING id
"""


class Change(NamedTuple):
    """A request, the audit entry that it leaves, and what must have happened to the order before."""

    method: str
    path: str
    body: dict[str, Any]
    entry: str
    shipped: bool = False
    status: int = 200


CHANGES = {
    "ship_order": Change("POST", "/ship", {"carrier": "DHL"}, "order.ship"),
    "track_order": Change("PUT", "/tracking", {"carrier": "DHL"}, "order.track", shipped=True),
    "deliver_order": Change("POST", "/deliver", {}, "order.deliver", shipped=True),
    "change_contact": Change("PATCH", "", {"email": "new@example.org"}, "order.change"),
    "request_refund": Change("POST", "/refunds", {"amount": 1, "reason": "late"}, "order.refund", status=201),
    "retry_refund": Change("POST", "/refunds/{failed}/retry", {}, "order.retry_refund", status=201),
}


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.ORDERS))
def test_an_order_is_changed_once_after_a_crash_at(point: str, environment: Environment) -> None:
    # given a paid order
    change = CHANGES[point.partition(".")[0]]
    http = httpx.Client(base_url=environment.shop.order.url, timeout=15)
    http.headers.update(staff(environment, point) | {"Idempotency-Key": point})
    order_id = paid_order(environment, http, point)
    if change.shipped:
        http.post(f"/admin/orders/{order_id}/ship", json={}).raise_for_status()
    request: dict[str, Any] = {
        "method": change.method, "url": f"/admin/orders/{order_id}{change.path}", "json": change.body
    }  # fmt: skip
    if "{failed}" in change.path:
        request["url"] = request["url"].format(failed=failed_refund(environment, order_id))

    # when the server crashes while it serves the request
    armed = environment.arm(point)
    with pytest.raises(httpx.TransportError):
        http.request(**request)
    assert not armed.exists()
    crashed_at = time.monotonic()
    again = insist(environment, http, request)

    # then its repetition succeeds, and it is done once
    assert again.status_code == change.status
    order = http.get(f"/admin/orders/{order_id}").json()
    entries = http.get("/admin/audit", params={"subject": order_id, "action": change.entry}).json()
    requested = [refund["amount"] for refund in order["refunds"] if refund["reason"] == "requested"]
    assert (len(entries), len(requested)) == (1, change.entry == "order.refund")
    assert order["payment"]["refunded"] == sum(requested)
    assert len(order["refunds"]) == len(requested) + 2 * (change.entry == "order.retry_refund")
    http.close()
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))


def failed_refund(environment: Environment, order_id: str) -> str:
    """Note a second payment of the order, whose refund has failed; return the refund's id."""
    with psycopg.connect(environment.shop.order.database_url) as connection:
        row = connection.execute(PAY_TWICE, {"id": order_id.removeprefix("o-")}).fetchone()
    assert row
    return f"r-{row[0].hex}"


def paid_order(environment: Environment, http: httpx.Client, point: str) -> str:
    """Place an order of a customer, and note that it was paid; return its id."""
    product_id = point.replace(".", "-")
    http.post("/admin/products", json=LAMP | {"id": product_id}).raise_for_status()
    customer = bearer(open_session(environment.shop, f"buyer-{product_id}"))
    body = {"items": [{"product_id": product_id}], "ship_to": ADDRESS, "email": "ada@example.org"}
    body["shipping_method"] = "standard"
    placed = http.post("/orders", json=body, headers=customer).raise_for_status().json()
    with psycopg.connect(environment.shop.order.database_url) as connection:
        connection.execute(PAY, {"id": placed["order_id"].removeprefix("o-")})
    return str(placed["order_id"])
