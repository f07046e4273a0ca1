"""SQL expressions of webhooks and their deliveries."""

from __future__ import annotations

WEBHOOK_ID = "'w-' || replace(w.id::text, '-', '')"
"""The public id of the webhook in the row `w`."""

WEBHOOK = f"""to_json((SELECT d FROM (SELECT
    {WEBHOOK_ID} AS id, w.url, w.types, w.active, w.created_at
) AS d))::text"""

AUDITED = "jsonb_build_object('url', {row}.url, 'types', {row}.types, 'active', {row}.active)"
"""What an audit entry keeps of a webhook: all that staff can set, without the secret."""

EVENT_ID = "'e-' || replace(d.event_id::text, '-', '')"
"""The public id of the event of the delivery in the row `d`."""

DELIVERY = f"""to_json((SELECT r FROM (SELECT
    {EVENT_ID} AS event_id,
    d.type,
    d.status,
    d.attempts,
    d.response_status,
    d.failure,
    CASE WHEN d.status = 'waiting' THEN d.attempt_at END AS next_attempt_at,
    d.created_at,
    d.finished_at
) AS r))::text"""
