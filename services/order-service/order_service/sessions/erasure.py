"""Erase what is personal in the orders of deleted accounts; products, amounts and taxes stay in the accounts.

What money still needs stays until it has arrived. The sweep over all deleted accounts erases it later.
"""

from __future__ import annotations

from chassis.db.database import DeadlineConnection
from order_service.sessions import erasure_statements as statements


def erase(connection: DeadlineConnection, buyer_ids: list[str]) -> None:
    """Erase the orders of these buyers, and of their payments what is not needed any more."""
    buyers = {"buyer_ids": buyer_ids}
    connection.execute(statements.ORDERS, buyers)
    connection.execute(statements.AUDIT, buyers)
    order_ids = [row.id for row in connection.execute(statements.LOCK, buyers).fetchall()]
    if order_ids:
        connection.execute(statements.PAYMENTS, {"order_ids": order_ids})
        connection.execute(statements.REFUNDS, {"order_ids": order_ids})
