"""Apply the session feed: store ended sessions, erase the personal data of deleted accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from chassis.db import audit
from chassis.db.database import Database, DeadlineConnection, Row
from chassis.db.statement import Statement
from order_service.sessions import erasure

REMEMBER = Statement("""-- remember_ended_sessions
INSERT INTO ended_sessions (session_id, ended_at)
SELECT * FROM unnest(CAST(%(session_ids)s AS text[]), CAST(%(times)s AS timestamptz[])) ON CONFLICT DO NOTHING
""")
# No token lives longer than a day, so older ended sessions are not needed.
FORGET = Statement("""-- forget_ended_sessions
DELETE FROM ended_sessions WHERE ended_at < now() - interval '2 days'
""")
NOTE_ERASED = Statement("""-- note_erased_buyers
INSERT INTO erased_buyers (buyer_id, erased_at)
SELECT buyer_id, now() FROM unnest(CAST(%(buyer_ids)s AS text[])) AS buyer_id ON CONFLICT DO NOTHING
""")
ERASED_BUYERS = "SELECT buyer_id FROM erased_buyers WHERE buyer_id > %(after)s ORDER BY buyer_id LIMIT %(limit)s"
ADVANCE = Statement("""-- advance_session_feed
INSERT INTO session_feed (version, at) VALUES (%(version)s, %(at)s)
ON CONFLICT (singleton) DO UPDATE SET version = excluded.version, at = excluded.at
""")
POSITION = "SELECT version, at FROM session_feed"
LOCK_POSITION = f"{POSITION} FOR UPDATE"
RESTART = Statement("""-- restart_session_feed
UPDATE session_feed SET version = 0, at = NULL WHERE version = %(version)s AND at = %(at)s RETURNING 1
""")
ENDED = "SELECT session_id FROM ended_sessions"


class Position(NamedTuple):
    """The last entry of the feed that was learned; its time tells it from the same number of another log."""

    version: int
    at: datetime | None


START = Position(0, None)


def learn(db: Database, *, endings: list[dict[str, Any]], after: Position) -> Position | None:
    """Store one page of the feed, read from `after` on, in one transaction; return the position at its end.

    Every ending up to the stored position is stored. Return None and store nothing when the page does not continue
    from there: a restore of the database has set the stored position back. A page that another process stored is fine.
    """
    page = [Position(ending["version"], ending["at"]) for ending in endings]
    with db.transaction("learn_endings") as connection:
        stored = _position(connection.execute(LOCK_POSITION).fetchone())
        if stored in {after, *page[:-1]}:
            _store(connection, endings)
            connection.execute(ADVANCE, page[-1]._asdict())
        elif stored != page[-1] and stored.version <= page[-1].version:
            return None
    return page[-1]


def _store(connection: DeadlineConnection, endings: list[dict[str, Any]]) -> None:
    sessions = [ending for ending in endings if ending["session_id"]]
    session_ids = [ending["session_id"] for ending in sessions]
    buyer_ids = {"buyer_ids": [ending["user_id"] for ending in endings if ending["user_id"]]}
    connection.execute(REMEMBER, {"session_ids": session_ids, "times": [ending["at"] for ending in sessions]})
    connection.execute(FORGET)
    connection.execute(NOTE_ERASED, buyer_ids)
    erasure.erase(connection, buyer_ids["buyer_ids"])
    audit.erase(connection, buyer_ids["buyer_ids"])


def restart(db: Database, *, refused: Position) -> None:
    """Set the stored position to the start of the feed, unless another process has changed it since."""
    db.fetch_one(RESTART, refused._asdict())


def erase_late_orders(db: Database, *, after: str, limit: int) -> str:
    """Erase the orders of the next deleted accounts again; return the last of them, or "" when there are no more.

    An order that began before its buyer was noted may be committed after the erasure, at any time.
    """
    buyer_ids = [row.buyer_id for row in db.fetch_all(ERASED_BUYERS, {"after": after, "limit": limit})]
    if buyer_ids:
        with db.transaction("erase_late_orders") as connection:
            erasure.erase(connection, buyer_ids)
    return buyer_ids[-1] if len(buyer_ids) == limit else ""


def load_position(db: Database) -> Position:
    """Return the stored position; any process may have stored it."""
    return _position(db.fetch_one(POSITION))


def _position(row: Row) -> Position:
    return Position(*row) if row and row.at else START


def load_ended(db: Database) -> list[str]:
    """Return the ids of the ended sessions."""
    return [row.session_id for row in db.fetch_all(ENDED)]
