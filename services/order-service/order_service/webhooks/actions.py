"""Create, change and delete webhooks; every change leaves an audit entry."""

from __future__ import annotations

import secrets
from base64 import b64encode
from typing import Any
from uuid import UUID

import orjson

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database, Row
from chassis.jobs import defer
from chassis.problems import NotFound
from order_service.webhooks import rules, statements

SECRET_BYTES = 32
OVERLAP_SECONDS = 24 * 3600
"""For this long after a change of the secret, the old one signs too."""


def create(db: Database, *, staff: Caller, url: str, types: list[str], local: bool) -> dict[str, Any]:
    """Create a webhook for what happens from now on; return its document, with the secret."""
    rules.parse_url(url, local=local)
    secret = secrets.token_bytes(SECRET_BYTES)
    row = db.fetch_one(statements.CREATE, {"url": url, "types": types, "secret": secret, **audit.by(staff)})
    return {**orjson.loads(row.document), "secret": shown(secret)}


def change(
    db: Database, *, staff: Caller, webhook_id: UUID, url: str | None, types: list[str] | None, active: bool | None,
    local: bool,
) -> str:  # fmt: skip
    """Change what is not None; return the webhook's document."""
    if url is not None:
        rules.parse_url(url, local=local)
    changed = {"id": webhook_id, "url": url, "types": types, "active": active}
    return str(_found(db.fetch_one(statements.CHANGE, {**changed, **audit.by(staff)})).document)


def rotate_secret(db: Database, *, staff: Caller, webhook_id: UUID) -> dict[str, str]:
    """Replace the secret; the old one signs too for a day."""
    secret = secrets.token_bytes(SECRET_BYTES)
    parameters = {"id": webhook_id, "secret": secret, "overlap": OVERLAP_SECONDS, **audit.by(staff)}
    row = _found(db.fetch_one(statements.ROTATE, parameters))
    return {"secret": shown(secret), "old_secret_until": row.old_secret_until}


def delete(db: Database, *, staff: Caller, webhook_id: UUID) -> None:
    """Delete a webhook at once; a job deletes its deliveries."""
    with db.transaction("delete_webhook") as connection:
        _found(connection.fetch_one(statements.DELETE, {"id": webhook_id, **audit.by(staff)}))
        defer(connection, "forget_deliveries_of_webhook", {"webhook_id": str(webhook_id)})


def replay(db: Database, *, staff: Caller, webhook_id: UUID, event_id: UUID) -> str:
    """Deliver an event again, for three days from now; return the delivery's document."""
    parameters = {"id": webhook_id, "event_id": event_id, **audit.by(staff)}
    return str(_found(db.fetch_one(statements.REPLAY, parameters)).document)


def _found(row: Row) -> Row:
    if row is None:
        raise NotFound
    return row


def shown(secret: bytes) -> str:
    """Return a secret as Standard Webhooks writes it."""
    return f"whsec_{b64encode(secret).decode()}"
