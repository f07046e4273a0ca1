"""Check in the database that acknowledged orders exist once and that the stock is correct."""

from __future__ import annotations

from typing import NamedTuple

import psycopg
import scripted_provider

from chaos.load import Load
from order_service.catalog.stock import DIFFERENT

# Units that were refunded without returning to the stock stay sold, also when the order is cancelled afterwards.
UNITS = """
SELECT p.id, p.stock + coalesce(sum(CASE o.status WHEN 'cancelled' THEN refunded_qty ELSE qty END), 0)
    - (SELECT coalesce(sum(units), 0) FROM stock_movements WHERE product_id = p.id AND kind = 'refund')
FROM products p LEFT JOIN order_lines l ON l.product_id = p.id LEFT JOIN orders o ON o.id = l.order_id GROUP BY p.id
"""
WITHOUT_LINES = "SELECT id FROM orders o WHERE NOT EXISTS (SELECT FROM order_lines WHERE order_id = o.id)"
RECEIPT_DISAGREES = """
SELECT id FROM orders o WHERE idempotency_key IS NOT NULL AND (
    receipt IS NULL OR fingerprint IS NULL
    OR receipt::jsonb ->> 'order_id' <> 'o-' || replace(id::text, '-', '')
    OR (receipt::jsonb ->> 'total')::numeric * 100 <> total_minor
    OR jsonb_array_length(receipt::jsonb -> 'items') <> (SELECT count(*) FROM order_lines WHERE order_id = o.id))
"""
TOTAL_DISAGREES = """
SELECT id FROM orders o
WHERE total_minor <> (SELECT coalesce(sum(unit_price_minor * qty), -1) FROM order_lines WHERE order_id = o.id)
    + shipping_minor + CASE WHEN prices_include_tax THEN 0 ELSE tax_minor END
"""
STATUS_DISAGREES = "SELECT id FROM orders WHERE status <> history -> -1 ->> 'status'"
HISTORY_DISAGREES = """
WITH events AS (
    SELECT order_id, array_agg((status, at) ORDER BY xid, id) AS changes FROM order_events
    WHERE type NOT IN ('order.paid', 'order.refunded') GROUP BY order_id
)
SELECT o.id FROM orders o LEFT JOIN events ON order_id = o.id WHERE changes IS DISTINCT FROM (
    SELECT array_agg((status, at)) FROM jsonb_to_recordset(history) AS h(status text, at timestamptz)
)
"""
OVERSOLD = "SELECT id FROM products WHERE stock < 0"
CONSISTENCY = {
    "orders without lines": WITHOUT_LINES,
    "idempotency records that disagree with their order": RECEIPT_DISAGREES,
    "totals that are not the sum of their lines": TOTAL_DISAGREES,
    "histories that disagree with the status": STATUS_DISAGREES,
    "histories that disagree with the events": HISTORY_DISAGREES,
    "products with less than nothing in stock": OVERSOLD,
    "currencies in which payments are not what is on orders or goes back": scripted_provider.BALANCE,
    "orders that disagree with their payment or refunds": scripted_provider.ORDERS,
    "payments of which more is refunded than was paid": scripted_provider.REFUNDS,
    "products whose movements do not add up to their stock": DIFFERENT,
}
UNFINISHED = """
SELECT 'payment', id FROM payments WHERE status IN ('opening', 'open')
UNION ALL SELECT 'refund', refunds.id FROM refunds JOIN payments ON payments.id = payment_id
    WHERE refunds.status = 'pending' AND provider = %(provider)s
UNION ALL SELECT 'order', id FROM orders WHERE status = 'placed' AND payment_status IN ('pending', 'failed')
"""
HELD = """
SELECT payments.currency, sum(orders.paid_minor - refunded_minor)::bigint
FROM orders JOIN payments ON order_id = orders.id AND accepted WHERE provider = %(provider)s
GROUP BY 1 HAVING sum(orders.paid_minor - refunded_minor) <> 0
"""
ORDERS_OF_RUN = """
SELECT idempotency_key, 'o-' || replace(id::text, '-', ''), status FROM orders WHERE starts_with(idempotency_key, %s)
"""


Units = dict[str, int]


class Audit(NamedTuple):
    """Numbers of lost and duplicated orders, and other findings."""

    lost: int
    duplicated: int
    findings: list[str]


class Invariants:
    """The invariants of order-service: created before a fault, audited after it."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        with psycopg.connect(database_url) as connection:
            self._opening: Units = dict(connection.execute(UNITS).fetchall())

    def audit(self, load: Load) -> Audit:
        """Compare the acknowledged requests with the database; all buyers must have final answers."""
        with psycopg.connect(self._url) as connection:
            lost, duplicated, findings = compare(connection, load)
            return Audit(lost, duplicated, [*findings, *self.inconsistencies(connection)])

    def inconsistencies(self, connection: psycopg.Connection) -> list[str]:
        """Return what is wrong in the database, whoever ordered."""
        found = {what: connection.execute(query).fetchall() for what, query in CONSISTENCY.items()}
        units: Units = dict(connection.execute(UNITS).fetchall())
        found["products whose stock and sales do not add up"] = sorted(set(units.items()) ^ set(self._opening.items()))
        return [f"{what}: {rows}" for what, rows in found.items() if rows]


def compare(connection: psycopg.Connection, load: Load) -> Audit:
    """Compare the acknowledged requests with the stored orders of this run."""
    written = connection.execute(ORDERS_OF_RUN, (load.run,)).fetchall()
    lost = set(load.acknowledged.items()) - {(key, order_id) for key, order_id, _ in written}
    too_many = [order_id for key, order_id, _ in written if load.acknowledged.get(key) != order_id]
    findings = list(load.surprises)
    cancelled = {order_id for _, order_id, status in written if status == "cancelled"}
    if cancelled != load.cancelled:
        findings.append(f"cancelled otherwise than acknowledged: {sorted(cancelled ^ load.cancelled)}")
    return Audit(len(lost), len(too_many), findings)


def money_at_rest(connection: psycopg.Connection, provider: str, held: dict[str, int]) -> list[str]:
    """Return what is wrong when every job is done: something unfinished, or a sum that the provider does not hold."""
    unfinished = connection.execute(UNFINISHED, {"provider": provider}).fetchall()
    on_orders: dict[str, int] = dict(connection.execute(HELD, {"provider": provider}).fetchall())
    findings = [f"unfinished: {unfinished}"] if unfinished else []
    if on_orders != held:
        findings.append(f"{on_orders} on orders, {held} at the provider")
    return findings
