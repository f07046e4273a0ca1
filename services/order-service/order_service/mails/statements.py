"""The statements of mails about orders."""

from __future__ import annotations

from chassis.db.statement import Statement
from chassis.jobs import deferred
from order_service.events import documents as events
from order_service.mails import NAMES
from order_service.orders import documents

_TYPES = ", ".join(f"'{name}'" for name in NAMES)

# Alone: two processes that begin wait for each other here, so that no event is taken twice.
BEGIN = Statement(f"""-- begin_mails
INSERT INTO mail_position (xid, id) VALUES ('{events.START[0]}'::xid8, '{events.START[1]}'::uuid)
ON CONFLICT (singleton) DO NOTHING
""")
# The jobs of a page of events, and the position behind it, in one statement: a crash repeats both or none.
FOLLOW = Statement(f"""-- follow_events_for_mails
WITH position AS MATERIALIZED (
    SELECT xid, id FROM mail_position FOR UPDATE
),
page AS MATERIALIZED (
    SELECT * FROM order_events
    WHERE (xid, id) > ((SELECT xid FROM position), (SELECT id FROM position)) AND {events.SETTLED}
    ORDER BY xid, id LIMIT %(limit)s
),
queued AS (
    {deferred("send_order_mail", "'event_id', page.id, 'xid', page.xid::text")}
    FROM page JOIN orders o ON o.id = page.order_id
    WHERE o.email IS NOT NULL AND page.type IN ({_TYPES})
),
advanced AS (
    UPDATE mail_position SET xid = last.xid, id = last.id
    FROM (SELECT xid, id FROM page ORDER BY xid DESC, id DESC LIMIT 1) AS last
)
SELECT count(*) AS events FROM page
""")
# The log's key begins with the transaction, which is 0 in a database that was restored since.
OF_EVENT = f"""
SELECT e.type, o.id AS order_id, o.email, o.email_refused_at, {documents.order()} AS document,
       {events.event("e")} AS event,
       e.at >= o.pay_until AND o.paid_minor = 0 AS unpaid
FROM order_events e JOIN orders o ON o.id = e.order_id
WHERE e.id = %(event_id)s AND e.xid IN (CAST(%(xid)s AS xid8), '0'::xid8) AND o.email IS NOT NULL
"""
# Not of an address that replaced this one meanwhile.
NOTE_REFUSAL = Statement("""-- note_refusal_of_order_mail
UPDATE orders SET email_refused_at = CASE WHEN %(refused)s THEN now() END
WHERE id = %(order_id)s AND email = %(email)s
RETURNING 1
""")
