"""The statements that change webhooks and their deliveries; those of staff write their audit entry themselves."""

from __future__ import annotations

from chassis.db import audit
from chassis.db.statement import Statement
from order_service.events import documents as events
from order_service.webhooks.documents import AUDITED, DELIVERY, WEBHOOK, WEBHOOK_ID

CREATE = Statement(f"""-- create_webhook
WITH w AS (
    INSERT INTO webhooks (url, types, secret) VALUES (%(url)s, %(types)s, %(secret)s) RETURNING *
),
audited AS ({audit.INSERT} 'webhook.create', {WEBHOOK_ID}, NULL::jsonb, {AUDITED.format(row="w")} FROM w)
SELECT {WEBHOOK} AS document FROM w
""")

CHANGE = Statement(f"""-- change_webhook
WITH old AS (
    SELECT * FROM webhooks WHERE id = %(id)s FOR NO KEY UPDATE
),
w AS (
    UPDATE webhooks
    SET url = coalesce(%(url)s, old.url), types = coalesce(%(types)s, old.types),
        active = coalesce(%(active)s, old.active), rests_until = now()
    FROM old WHERE webhooks.id = old.id
    RETURNING webhooks.*
),
audited AS (
    {audit.INSERT} 'webhook.change', {WEBHOOK_ID}, {AUDITED.format(row="old")}, {AUDITED.format(row="w")}
    FROM w CROSS JOIN old
)
SELECT {WEBHOOK} AS document FROM w
""")

ROTATE = Statement(f"""-- rotate_webhook_secret
WITH w AS (
    UPDATE webhooks
    SET secret = %(secret)s, old_secret = secret, old_secret_until = now() + make_interval(secs => %(overlap)s)
    WHERE id = %(id)s
    RETURNING *
),
audited AS ({audit.INSERT} 'webhook.rotate_secret', {WEBHOOK_ID}, NULL::jsonb, NULL::jsonb FROM w)
SELECT to_json(old_secret_until) #>> '{{}}' AS old_secret_until FROM w
""")

DELETE = Statement(f"""-- delete_webhook
WITH w AS (
    DELETE FROM webhooks WHERE id = %(id)s RETURNING *
),
audited AS ({audit.INSERT} 'webhook.delete', {WEBHOOK_ID}, {AUDITED.format(row="w")}, NULL::jsonb FROM w)
SELECT id FROM w
""")

REPLAY = Statement(f"""-- replay_delivery
WITH w AS (
    SELECT id FROM webhooks WHERE id = %(id)s
),
old AS (
    SELECT * FROM webhook_deliveries WHERE webhook_id = (SELECT id FROM w) AND event_id = %(event_id)s FOR NO KEY UPDATE
),
d AS (
    UPDATE webhook_deliveries
    SET status = 'waiting', attempts = 0, attempt_at = now(), give_up_at = DEFAULT, finished_at = NULL
    FROM old WHERE webhook_deliveries.webhook_id = old.webhook_id AND webhook_deliveries.event_id = old.event_id
    RETURNING webhook_deliveries.*
),
audited AS (
    {audit.INSERT} 'webhook.replay', {WEBHOOK_ID}, jsonb_build_object('event_id', d.event_id, 'status', old.status),
    jsonb_build_object('event_id', d.event_id, 'status', d.status) FROM w CROSS JOIN d CROSS JOIN old
)
SELECT {DELIVERY} AS document FROM d
""")

# Deliveries of a page of events, and the position behind it, in one statement: a crash repeats both or none.
# A webhook gets what happened since it was made. Without a position, two processes may both begin; they make the same.
FOLLOW = Statement(f"""-- follow_events
WITH position AS MATERIALIZED (
    SELECT xid, id FROM webhook_position FOR UPDATE
),
start AS (
    SELECT coalesce((SELECT xid FROM position), '{events.START[0]}'::xid8) AS xid,
           coalesce((SELECT id FROM position), '{events.START[1]}'::uuid) AS id
),
page AS MATERIALIZED (
    SELECT * FROM order_events
    WHERE (xid, id) > ((SELECT xid FROM start), (SELECT id FROM start)) AND {events.SETTLED}
    ORDER BY xid, id LIMIT %(limit)s
),
made AS (
    INSERT INTO webhook_deliveries (webhook_id, event_id, type, payload)
    SELECT w.id, page.id, page.type, {events.event("page")}
    FROM page JOIN webhooks AS w ON w.active AND page.type = ANY (w.types) AND page.at >= w.created_at
    ON CONFLICT (webhook_id, event_id) DO NOTHING
),
advanced AS (
    INSERT INTO webhook_position (xid, id) SELECT xid, id FROM page ORDER BY xid DESC, id DESC LIMIT 1
    ON CONFLICT (singleton) DO UPDATE SET xid = excluded.xid, id = excluded.id
)
SELECT (SELECT count(*) FROM page) AS events, {events.OF_ANOTHER_SERVER} AS of_another_server
""")

# While an attempt runs, no other process takes the delivery; after the lease one does, because this one has died.
CLAIM = Statement("""-- claim_delivery
UPDATE webhook_deliveries
SET attempts = attempts + 1, attempt_at = now() + make_interval(secs => %(lease)s)
FROM webhooks AS w
WHERE w.id = %(webhook_id)s AND w.active AND w.rests_until <= now() AND webhook_id = w.id AND event_id = (
    SELECT event_id FROM webhook_deliveries
    WHERE webhook_id = %(webhook_id)s AND status = 'waiting' AND attempt_at <= now()
    ORDER BY attempt_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING webhook_id, event_id, payload, attempts, w.url, w.secret,
          CASE WHEN w.old_secret_until > now() THEN w.old_secret END AS old_secret
""")

# An endpoint that is gone is switched off, unless staff have given the webhook another URL during the attempt.
RECORD = Statement(f"""-- record_delivery
WITH attempt AS (
    UPDATE webhook_deliveries
    SET status = CASE WHEN %(delivered)s THEN 'delivered' WHEN give_up_at <= now() THEN 'failed' ELSE 'waiting' END,
        finished_at = CASE WHEN %(delivered)s OR give_up_at <= now() THEN now() END,
        attempt_at = least(now() + make_interval(secs => %(pause)s), greatest(give_up_at, now())),
        response_status = %(response_status)s, failure = %(failure)s
    WHERE webhook_id = %(webhook_id)s AND event_id = %(event_id)s AND attempts = %(attempts)s AND status = 'waiting'
),
w AS (
    UPDATE webhooks
    SET rests_until = now() + make_interval(secs => %(rest)s), active = active AND NOT (%(gone)s AND url = %(url)s)
    WHERE id = %(webhook_id)s AND (%(rest)s > 0 OR %(gone)s)
    RETURNING webhooks.*, old.active AS was_active
)
{audit.INSERT} 'webhook.gone', {WEBHOOK_ID},
    {AUDITED.format(row="w")} || '{{"active": true}}', {AUDITED.format(row="w")}
FROM w WHERE was_active AND NOT active RETURNING 1
""")

FORGET = Statement("""-- forget_deliveries
DELETE FROM webhook_deliveries WHERE (webhook_id, event_id) IN (
    SELECT webhook_id, event_id FROM webhook_deliveries
    WHERE finished_at < now() - make_interval(days => %(days)s) LIMIT %(limit)s
)
RETURNING 1
""")
FORGET_WEBHOOK = Statement("""-- forget_deliveries_of_webhook
DELETE FROM webhook_deliveries WHERE (webhook_id, event_id) IN (
    SELECT webhook_id, event_id FROM webhook_deliveries WHERE webhook_id = %(webhook_id)s LIMIT %(limit)s
)
RETURNING 1
""")
