"""Add the log of order events, and webhooks with their deliveries."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

# The key is the order in which readers see events: transactions end in another order than that of their numbers, so a
# reader goes only as far as the oldest transaction that is still running.
EVENTS = """
CREATE TABLE order_events (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id uuid NOT NULL DEFAULT uuidv7(),
    order_id uuid NOT NULL,
    type text NOT NULL CONSTRAINT order_events_type_known CHECK (type IN ('order.placed', 'order.cancelled')),
    status text NOT NULL,
    total_minor bigint NOT NULL,
    currency text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (xid, id)
);
COMMENT ON TABLE order_events IS 'append-only: what happened to orders, without personal data';
COMMENT ON COLUMN order_events.xid IS 'the transaction; 0 when it was of another server';
COMMENT ON COLUMN order_events.id IS 'UUIDv7: sorts by time';
COMMENT ON COLUMN order_events.status IS 'of the order, as are total and currency';
"""
# What happened before there were events. The id tells the time of the event, not that of the migration.
HISTORY = """
INSERT INTO order_events (xid, id, order_id, type, status, total_minor, currency, at)
SELECT '0', uuidv7(h.at - clock_timestamp()), o.id, 'order.' || h.status, h.status, total_minor, currency, h.at
FROM orders o CROSS JOIN jsonb_to_recordset(o.history) AS h(status text, at timestamptz)
"""
# A delivery outlives its webhook until a job deletes it: a webhook may have a million of them.
WEBHOOKS = """
CREATE TABLE webhooks (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    url text NOT NULL,
    types text[] NOT NULL CONSTRAINT webhooks_want_something CHECK (cardinality(types) > 0),
    active boolean NOT NULL DEFAULT true,
    secret bytea NOT NULL,
    old_secret bytea,
    old_secret_until timestamptz,
    rests_until timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN webhooks.old_secret IS 'signs too until old_secret_until';
COMMENT ON COLUMN webhooks.rests_until IS 'no attempt before: the endpoint was slow';

CREATE TABLE webhook_deliveries (
    webhook_id uuid,
    event_id uuid,
    type text NOT NULL,
    payload text NOT NULL,
    status text NOT NULL DEFAULT 'waiting' CONSTRAINT webhook_deliveries_status_known
        CHECK (status IN ('waiting', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    attempt_at timestamptz NOT NULL DEFAULT now(),
    give_up_at timestamptz NOT NULL DEFAULT now() + interval '3 days',
    response_status smallint,
    failure text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (webhook_id, event_id)
);
COMMENT ON COLUMN webhook_deliveries.payload IS 'the body, the same in each attempt';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'since the event, or since its replay';
COMMENT ON COLUMN webhook_deliveries.attempt_at IS 'the next attempt; during one, when another process may take over';
COMMENT ON COLUMN webhook_deliveries.response_status IS 'of the last attempt; NULL: no response';
CREATE INDEX webhook_deliveries_by_status ON webhook_deliveries (webhook_id, status, event_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, attempt_at) WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE webhook_position (
    singleton boolean PRIMARY KEY DEFAULT true CONSTRAINT webhook_position_has_one_row CHECK (singleton),
    xid xid8 NOT NULL,
    id uuid NOT NULL
);
COMMENT ON TABLE webhook_position IS 'the last event that has its deliveries; no row before the first';
"""


def upgrade() -> None:
    for statement in (EVENTS, HISTORY, WEBHOOKS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE webhook_position, webhook_deliveries, webhooks, order_events")
