"""Ship, track, deliver and cancel orders for staff, and change where they go; each is one statement.

A request that was carried out before changes nothing and is answered with the order as it is.
"""

from __future__ import annotations

from typing import Any

import orjson

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database, Row
from chassis.db.statement import Statement
from chassis.problems import NotFound
from order_service.fulfilment import queries, rules, statements
from order_service.orders import cancel_statements, states
from order_service.orders.queries import order_key


def ship(
    db: Database,
    *,
    staff: Caller,
    order_id: str,
    carrier: str | None,
    tracking_number: str | None,
    tracking_url: str | None,
) -> str:
    """Note that an order was sent; return its document. Raises NotShippable or AddressNeeded.

    An order that was sent before with the same carrier and tracking is answered as it is.
    """
    shipment = {"carrier": carrier, "tracking_number": tracking_number, "tracking_url": tracking_url}
    parameters = {**shipment, **audit.by(staff)}
    row = _run(db, statements.SHIP, "ship", order_id, parameters)
    if states.ACTIONS["ship"].accepts(row.status, row.payment_status) and row.missing:
        raise rules.AddressNeeded(row.missing)
    return _document(db, "ship", row, order_id)


def track(
    db: Database,
    *,
    staff: Caller,
    order_id: str,
    carrier: str | None,
    tracking_number: str | None,
    tracking_url: str | None,
) -> str:
    """Replace carrier and tracking of an order that was sent; return its document. Raises NotTrackable."""
    shipment = {"carrier": carrier, "tracking_number": tracking_number, "tracking_url": tracking_url}
    parameters = {**shipment, **audit.by(staff)}
    row = _run(db, statements.TRACK, "track", order_id, parameters)
    return _document(db, "track", row, order_id)


def deliver(db: Database, *, staff: Caller, order_id: str) -> str:
    """Note that an order arrived; return its document. Raises NotDeliverable."""
    return _document(db, "deliver", _run(db, statements.DELIVER, "deliver", order_id, {**audit.by(staff)}), order_id)


def cancel(db: Database, *, staff: Caller, order_id: str, reason: str) -> str:
    """Cancel an order, restore its stock and refund what was paid; return its document. Raises NotCancellable."""
    row = _run(db, cancel_statements.CANCEL_BY_STAFF, "cancel", order_id, {"reason": reason, **audit.by(staff)})
    if row.document is None:
        raise rules.refusal("cancel", row.status, row.payment_status)
    return queries.get_order(db, order_id=order_id)


def change_contact(db: Database, *, staff: Caller, order_id: str, changes: dict[str, Any]) -> str:
    """Set `ship_to` or `email` of an order; return its document. Raises NotChangeable or CustomerErased."""
    if not changes:
        return queries.get_order(db, order_id=order_id)
    ship_to = changes.get("ship_to")
    parameters = {
        "has_ship_to": "ship_to" in changes,
        "ship_to": orjson.dumps(ship_to).decode() if ship_to else None,
        "has_email": "email" in changes,
        "email": changes.get("email"),
        **audit.by(staff),
    }
    row = _run(db, statements.CHANGE_CONTACT, "address", order_id, parameters)
    if row.erased:
        raise rules.CustomerErased
    return _document(db, "address", row, order_id)


def _run(db: Database, statement: Statement, action: str, order_id: str, parameters: dict[str, Any]) -> Row:
    row = db.fetch_one(statement, {**parameters, "id": order_key(order_id), **states.accepted(action)})
    if row is None:
        raise NotFound
    return row


def _document(db: Database, action: str, row: Row, order_id: str) -> str:
    """Return the document of an order that the action changed, or found as wanted; raise its refusal."""
    if not (row.changed or row.same):
        raise rules.refusal(action, row.status, row.payment_status)
    return queries.get_order(db, order_id=order_id)
