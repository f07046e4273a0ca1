"""Orders in any state, for the tests of what staff do with them."""

from __future__ import annotations

from typing import Any

from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.orders.queries import order_key

SAM = bearer("u-sam", "sam", roles=("staff",))
ADDRESS = {"recipient": "Ada Example", "street": "Main Street 1", "city": "Berlin", "country": "DE"}
CONTACT = {"ship_to": ADDRESS, "email": "ada@example.org"}
HOLDS_MONEY = ("paid", "partially_refunded", "refunded")

# What the placed order would be had its customer paid, staff refunded a part, and so on.
SET = """
WITH o AS (
    UPDATE orders SET status = %(status)s, payment_status = %(payment)s,
        paid_minor = CASE WHEN %(paid)s THEN total_minor ELSE 0 END,
        refunded_minor = CASE %(payment)s WHEN 'refunded' THEN total_minor WHEN 'partially_refunded' THEN 1 ELSE 0 END,
        pay_until = CASE WHEN %(payment)s IN ('pending', 'failed') THEN now() + interval '30 minutes' END,
        shipment = CASE WHEN %(status)s IN ('shipped', 'delivered')
            THEN '{"carrier": "Old", "tracking_number": null, "tracking_url": null}'::jsonb
                || jsonb_build_object('shipped_at', now()) END
    WHERE id = %(id)s RETURNING *
)
INSERT INTO payments (order_id, provider, provider_id, amount_minor, currency, status, accepted, paid_minor, paid_at)
SELECT id, 'test', id::text, total_minor, currency, 'paid', true, total_minor, now() FROM o WHERE %(paid)s
"""


def put(db: Database, order_id: str, status: str, payment: str = "not_required") -> None:
    """Put a placed order into a state."""
    parameters = {"id": order_key(order_id), "status": status, "payment": payment, "paid": payment in HOLDS_MONEY}
    with db.transaction() as connection:
        connection.execute(SET, parameters)


def state(db: Database, order_id: str) -> tuple[str, str]:
    row = db.fetch_one("SELECT status, payment_status FROM orders WHERE id = %(id)s", {"id": order_key(order_id)})
    return row.status, row.payment_status


def traces(db: Database) -> dict[str, Any]:
    """Return what changes leave behind: events, audit entries, refunds, movements and jobs."""
    tables = ("order_events", "audit_entries", "refunds", "stock_movements", "procrastinate_jobs")
    return {table: db.fetch_one(f"SELECT count(*) AS n FROM {table}").n for table in tables}


def books(db: Database) -> None:
    """Assert that stock and refunds add up."""
    assert (
        db.fetch_all("""
        SELECT id FROM products
        WHERE stock <> (SELECT coalesce(sum(units), 0) FROM stock_movements WHERE product_id = products.id)
    """)
        == []
    )
    assert (
        db.fetch_all("""
        SELECT id FROM orders
        WHERE refunded_minor <> (SELECT coalesce(sum(amount_minor), 0) FROM refunds
                                 WHERE order_id = orders.id AND reason IN ('requested', 'cancelled'))
    """)
        == []
    )
