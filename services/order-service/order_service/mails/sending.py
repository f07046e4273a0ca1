"""Queue and send the mails about orders: the tasks of background jobs.

Jobs know ids alone. A mail that is sent twice has the same Message-ID, which is the event's.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import orjson

from chassis.db.database import Database, Row
from chassis.mail import Refused, send
from order_service.mails import NAMES, compose, statements
from order_service.settings import Settings

log = logging.getLogger(__name__)

PAGE = 1000


def follow(db: Database) -> None:
    """Queue a mail for each new event whose order has an address."""
    events = PAGE
    while events == PAGE:
        with db.transaction("queue_mails") as connection:
            connection.execute(statements.BEGIN)
            events = connection.fetch_one(statements.FOLLOW, {"limit": PAGE}).events


def send_mail(db: Database, settings: Settings, *, event_id: UUID, xid: str) -> None:
    """Mail what happened to an order; note whether the address was refused. An erased order gets no mail."""
    row = db.fetch_one(statements.OF_EVENT, {"event_id": event_id, "xid": xid})
    if row is None:
        return
    message_id = f"order-{NAMES[row.type]}-{event_id.hex}"
    refused = False
    try:
        send(settings, compose(NAMES[row.type], to=row.email, message_id=message_id, **_values(settings, row)))
    except Refused:
        log.warning("mail_refused", extra={"order_id": f"o-{row.order_id.hex}"})
        refused = True
    if refused or row.email_refused_at:
        noted = {"order_id": row.order_id, "email": row.email, "refused": refused}
        db.fetch_one(statements.NOTE_REFUSAL, noted)


def _values(settings: Settings, row: Row) -> dict[str, Any]:
    order = orjson.loads(row.document)
    link = f"{settings.public_url.rstrip('/')}/shop/orders/{order['order_id']}"
    amount = orjson.loads(row.event)["data"]["amount"]
    return {"order": order, "link": link, "amount": amount, "unpaid": bool(row.unpaid)}
