"""Read the log of order events without gaps."""

from __future__ import annotations

import re

import orjson

from chassis.db.database import Database
from chassis.http.pagination import BadCursor, decode_cursor, encode_cursor
from chassis.problems import Unavailable
from order_service.events import documents, rules

MOST_SCANNED = 10_000
"""Events that one request looks at for those of the types it asks for."""

_XID, _ID = re.compile(r"[0-9]{1,19}"), re.compile(r"[0-9a-f]{32}")


def read(db: Database, *, after: str | None, limit: int, types: list[str] | None) -> str:
    """Return a page of events after a cursor; raise LogChanged when the cursor's event is not in the log."""
    xid, event_id = _position(after)
    scanned = MOST_SCANNED if types else limit
    page = db.fetch_one(PAGE, {"xid": xid, "id": event_id, "types": types, "limit": limit, "scanned": scanned})
    if page.of_another_server:
        raise Unavailable(rules.RESTORED)
    if after and not page.is_known:
        raise rules.LogChanged
    following = encode_cursor(page.xid, page.id.hex) if page.id else after
    return f'{{"events":[{page.events or ""}],"next":{orjson.dumps(following).decode()},"more":{page.more}}}'


def _position(after: str | None) -> tuple[str, str]:
    if after is None:
        return documents.START
    xid, event_id = decode_cursor(after, str, str)
    if not (_XID.fullmatch(xid) and _ID.fullmatch(event_id)):
        raise BadCursor
    return xid, event_id


# A transaction that is still running may write events before those of transactions that have ended already. So
# readers stop at the oldest of them: what they have passed is complete.
PAGE = f"""
WITH scanned AS MATERIALIZED (
    SELECT * FROM order_events
    WHERE (xid, id) > (CAST(%(xid)s AS xid8), CAST(%(id)s AS uuid)) AND {documents.SETTLED}
    ORDER BY xid, id LIMIT %(scanned)s
),
found AS MATERIALIZED (
    SELECT * FROM scanned WHERE CAST(%(types)s AS text[]) IS NULL OR type = ANY (CAST(%(types)s AS text[]))
    ORDER BY xid, id LIMIT %(limit)s
),
-- A full page ends with its last event, another one with the last event that was looked at.
last AS (
    SELECT xid, id FROM (
        SELECT xid, id FROM found WHERE (SELECT count(*) FROM found) = %(limit)s
        UNION ALL
        SELECT xid, id FROM scanned WHERE (SELECT count(*) FROM found) < %(limit)s
    ) AS seen ORDER BY xid DESC, id DESC LIMIT 1
)
SELECT (SELECT string_agg({documents.event("found")}, ',' ORDER BY xid, id) FROM found) AS events,
       (SELECT xid::text FROM last) AS xid, (SELECT id FROM last) AS id,
       to_json(%(limit)s = (SELECT count(*) FROM found) OR %(scanned)s = (SELECT count(*) FROM scanned))::text AS more,
       EXISTS (SELECT FROM order_events WHERE xid = CAST(%(xid)s AS xid8) AND id = CAST(%(id)s AS uuid)) AS is_known,
       {documents.OF_ANOTHER_SERVER} AS of_another_server
"""
