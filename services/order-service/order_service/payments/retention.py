"""Delete old events of payment providers."""

from __future__ import annotations

from chassis.db.database import Database
from chassis.db.statement import Statement

KEPT_DAYS = 90  # providers repeat an event for some days
FORGET_AT_ONCE = 10_000
FORGET = Statement("""-- forget_payment_events
DELETE FROM payment_events WHERE (provider, event_id) IN (
    SELECT provider, event_id FROM payment_events
    WHERE received_at < now() - make_interval(days => %(days)s) LIMIT %(limit)s
)
RETURNING 1
""")


def forget_events(db: Database) -> None:
    """Delete what was received so long ago, some at a time."""
    page = {"days": KEPT_DAYS, "limit": FORGET_AT_ONCE}
    while len(db.fetch_all(FORGET, page)) == FORGET_AT_ONCE:
        pass
