"""Read payments and refunds, and orders that were not paid in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from chassis.db.database import Database, Row
from chassis.problems import NotFound
from order_service.orders.queries import order_key
from order_service.orders.states import ACTIONS, UNPAID

PAGE = """
SELECT p.id, p.order_id, p.provider, p.provider_id, p.url, p.status, p.amount_minor, p.currency,
       order_number(o.id) AS number, o.email, o.pay_until, o.status AS order_status, o.payment_status
FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.id = %(payment_id)s
"""
OPEN_URL = """
SELECT url FROM payments p JOIN orders o ON o.id = p.order_id
WHERE o.id = %(id)s AND buyer_id = %(buyer_id)s AND p.status = 'open'
"""
PAY_UNTIL = "SELECT pay_until FROM orders WHERE id = %(id)s AND buyer_id = %(buyer_id)s"
STATE = "SELECT status, payment_status FROM orders WHERE id = %(id)s AND buyer_id = %(buyer_id)s"
# Those without a page first: for them nobody needs to be asked. The others by chance: none waits behind a broken one.
UNPAID_IN_TIME = """
SELECT o.id, p.id AS payment_id FROM orders o
LEFT JOIN payments p ON p.order_id = o.id AND p.status IN ('opening', 'open')
WHERE o.status = 'placed' AND o.payment_status = ANY (CAST(%(unpaid)s AS text[])) AND o.pay_until < now()
ORDER BY p.id IS NOT NULL, random() LIMIT %(limit)s
"""
REFUND = """
SELECT r.id, r.amount_minor, r.currency, p.reference, p.provider
FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = %(refund_id)s AND r.status = 'pending'
"""
ORDER_OF_PAYMENT = "SELECT order_id FROM payments WHERE id = %(payment_id)s"


class PaymentPage(NamedTuple):
    """A payment with its order: what the provider needs to open its page, and where it stands."""

    id: UUID
    order_id: UUID
    provider: str
    provider_id: str | None
    url: str | None
    status: str
    amount_minor: int
    currency: str
    number: str
    email: str | None
    pay_until: datetime
    order_status: str
    payment_status: str

    @property
    def is_payable(self) -> bool:
        return ACTIONS["pay"].accepts(self.order_status, self.payment_status)


def payment_page(db: Database, *, payment_id: UUID) -> PaymentPage | None:
    row = db.fetch_one(PAGE, {"payment_id": payment_id})
    return PaymentPage(*row) if row else None


def open_url(db: Database, *, buyer_id: str, order_id: str) -> str | None:
    """Return the URL of the order's page that is open."""
    row = db.fetch_one(OPEN_URL, {"id": order_key(order_id), "buyer_id": buyer_id})
    return row.url if row else None


def order_state(db: Database, *, buyer_id: str, order_id: str) -> dict[str, str]:
    """Return the state of a customer's order as NotPayable names it; raise NotFound."""
    row = db.fetch_one(STATE, {"id": order_key(order_id), "buyer_id": buyer_id})
    if row is None:
        raise NotFound
    return {"status_of_order": row.status, "payment_status": row.payment_status}


def pay_until(db: Database, *, buyer_id: str, order_id: str) -> datetime:
    row = db.fetch_one(PAY_UNTIL, {"id": order_key(order_id), "buyer_id": buyer_id})
    if row is None:
        raise NotFound
    return cast("datetime", row.pay_until)


def unpaid_in_time(db: Database, *, limit: int) -> Sequence[Row]:
    """Return orders whose time to pay is over, each with the payment whose page is open; None without one."""
    return db.fetch_all(UNPAID_IN_TIME, {"unpaid": list(UNPAID), "limit": limit})


def pending_refund(db: Database, *, refund_id: UUID) -> Row:
    """Return a refund with the payment that it returns; None when it has ended."""
    return db.fetch_one(REFUND, {"refund_id": refund_id})


def order_of_payment(db: Database, *, payment_id: UUID) -> UUID:
    row = db.fetch_one(ORDER_OF_PAYMENT, {"payment_id": payment_id})
    if row is None:
        raise NotFound
    return cast("UUID", row.order_id)
