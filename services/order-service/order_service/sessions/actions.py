"""Apply the session feed: store ended sessions, erase the personal data of deleted accounts."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import Connection

from chassis.db.database import Database
from chassis.db.statement import Statement

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
# Orders keep products and amounts without the buyer. Receipt and key are erased too: they may hold a
# name. Buyers erased in the last minutes are included, because an order may have been in flight.
ERASE = Statement("""-- erase_orders
UPDATE orders SET buyer_name = NULL, ship_to = NULL, receipt = NULL, fingerprint = NULL, idempotency_key = NULL
FROM erased_buyers
WHERE orders.buyer_id = erased_buyers.buyer_id
  AND num_nonnulls(buyer_name, ship_to, receipt, idempotency_key) > 0
  AND (orders.buyer_id = ANY (CAST(%(buyer_ids)s AS text[])) OR erased_at > now() - interval '5 minutes')
""")
ADVANCE = Statement("""-- advance_session_feed
INSERT INTO session_feed (version) VALUES (%(version)s)
ON CONFLICT (singleton) DO UPDATE SET version = greatest(session_feed.version, excluded.version)
""")
LEARNED = """
SELECT version, (SELECT coalesce(array_agg(session_id), '{}') FROM ended_sessions) AS session_ids FROM session_feed
"""


class Learned(NamedTuple):
    version: int
    session_ids: list[str]


def learn(db: Database, *, endings: list[dict[str, Any]]) -> Learned:
    """Store one page of the feed in one transaction; storing it again changes nothing."""
    sessions = [ending for ending in endings if ending["session_id"]]
    session_ids = [ending["session_id"] for ending in sessions]
    version = endings[-1]["version"]
    with db.transaction("learn_endings") as connection:
        connection.execute(REMEMBER, {"session_ids": session_ids, "times": [ending["at"] for ending in sessions]})
        connection.execute(FORGET)
        _erase(connection, [ending["user_id"] for ending in endings if ending["user_id"]])
        connection.execute(ADVANCE, {"version": version})
    return Learned(version, session_ids)


def _erase(connection: Connection[Any], buyer_ids: list[str]) -> None:
    connection.execute(NOTE_ERASED, {"buyer_ids": buyer_ids})
    connection.execute(ERASE, {"buyer_ids": buyer_ids})


def erase_late_orders(db: Database) -> None:
    """Erase orders that were in flight when their buyer's account was deleted."""
    with db.transaction("erase_late_orders") as connection:
        _erase(connection, [])


def load_learned(db: Database) -> Learned:
    """Return the stored feed version and ended sessions; any process may have stored them."""
    row = db.fetch_one(LEARNED)
    return Learned(row.version, list(row.session_ids)) if row else Learned(0, [])
