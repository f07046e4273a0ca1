"""Make deliveries of new events and send them, in background jobs.

Every step is one statement, and what was claimed by a process that died is claimed again after a lease. So each event
is delivered at least once, always with the same `webhook-id`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from standardwebhooks import Webhook

from chassis.db import audit
from chassis.db.database import Database, Row
from chassis.jobs import defer
from order_service.events.rules import RESTORED
from order_service.webhooks import queries, rules, sender, statements

log = logging.getLogger(__name__)

PAGE = 1000
LEASE_SECONDS = 60  # longer than an attempt, the resolution of its name included
RUN_SECONDS = 10  # then other jobs get their turn
SLOW_SECONDS = 2
RESTS = 6
"""An endpoint that was slow rests for so many times the time it took, so that it holds a worker's thread rarely."""
GONE = "gone"
"""The failure of an attempt whose endpoint answered 410: by Standard Webhooks it wants no more deliveries."""
KEPT_DAYS = 30
FORGET_AT_ONCE = 10_000

Post = Callable[..., int]


class Attempt(NamedTuple):
    """What came of an attempt: the response's status, or why there was none, and the seconds it took."""

    response_status: int | None
    failure: str | None
    seconds: float

    @property
    def rest_seconds(self) -> float:
        return self.seconds * RESTS if self.seconds > SLOW_SECONDS else 0


def follow(db: Database) -> None:
    """Make the deliveries of new events, and a job for each webhook that has deliveries to send."""
    events = PAGE
    while events == PAGE:
        with db.transaction("make_deliveries") as connection:
            page = connection.fetch_one(statements.FOLLOW, {"limit": PAGE})
            for row in connection.execute(queries.DUE).fetchall():
                lock = f"deliver_webhook {row.id}"
                defer(connection, "deliver_webhook", {"webhook_id": str(row.id)}, queueing_lock=lock)
        events = page.events
    if page.of_another_server:
        log.error("event_log_restored", extra={"hint": RESTORED})


def deliver(db: Database, *, webhook_id: UUID, local: bool, post: Post = sender.post) -> None:
    """Send the due deliveries of a webhook one after the other; leave the rest to the next job after RUN_SECONDS."""
    deadline = monotonic() + RUN_SECONDS
    claim = {"webhook_id": webhook_id, "lease": LEASE_SECONDS}
    while monotonic() < deadline and (delivery := db.fetch_one(statements.CLAIM, claim)):
        _record(db, delivery, _attempt(delivery, local=local, post=post))


def _attempt(delivery: Row, *, local: bool, post: Post) -> Attempt:
    started = monotonic()
    body = delivery.payload.encode()
    try:
        status = post(delivery.url, body, headers(delivery, datetime.now(UTC)), local=local)
    except sender.Undelivered as failure:
        return Attempt(None, str(failure), monotonic() - started)
    success = 200 <= status < 300  # noqa: PLR2004 - statuses
    refused = GONE if status == HTTPStatus.GONE else "refused"
    return Attempt(status, None if success else refused, monotonic() - started)


def _record(db: Database, delivery: Row, attempt: Attempt) -> None:
    outcome = {"response_status": attempt.response_status, "failure": attempt.failure}
    which = {"webhook_id": delivery.webhook_id, "event_id": delivery.event_id, "attempts": delivery.attempts}
    pauses = {"pause": rules.pause_seconds(delivery.attempts), "rest": attempt.rest_seconds}
    kind = {"delivered": attempt.failure is None, "gone": attempt.failure == GONE}
    db.fetch_one(statements.RECORD, {**which, **outcome, **pauses, **kind, "url": delivery.url, **audit.by(None)})
    log.info("webhook_attempt", extra={**which, **outcome})


def headers(delivery: Row, now: datetime) -> dict[str, str]:
    """Return the headers by Standard Webhooks; during a change of the secret there are two signatures."""
    message_id = f"e-{delivery.event_id.hex}"
    keys = [bytes(secret) for secret in (delivery.secret, delivery.old_secret) if secret]
    return {
        "Content-Type": "application/json",
        "User-Agent": "shop-webhooks",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(message_id, now, delivery.payload) for key in keys),
    }


def forget(db: Database) -> None:
    """Delete the deliveries that ended a month ago."""
    while len(db.fetch_all(statements.FORGET, {"days": KEPT_DAYS, "limit": FORGET_AT_ONCE})) == FORGET_AT_ONCE:
        pass


def forget_webhook(db: Database, *, webhook_id: UUID) -> None:
    """Delete the deliveries of a webhook that was deleted."""
    page = {"webhook_id": webhook_id, "limit": FORGET_AT_ONCE}
    while len(db.fetch_all(statements.FORGET_WEBHOOK, page)) == FORGET_AT_ONCE:
        pass
