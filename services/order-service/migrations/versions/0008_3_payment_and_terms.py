"""Add shipping methods, tax rates, payments, refunds and their events."""

from __future__ import annotations

from alembic import op

revision = "0008_3"
down_revision = "0008_2"

# VOLATILE: it sees what others committed while the caller waited for the product, which the caller's snapshot does not.
UNPAID = """
CREATE FUNCTION unpaid_of_product(buyer text, product text, OUT orders bigint, OUT units bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT count(*), coalesce(sum(qty), 0) INTO orders, units
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE o.buyer_id = buyer AND l.product_id = product
        AND o.status = 'placed' AND o.payment_status IN ('pending', 'failed');
END
$$;
COMMENT ON FUNCTION unpaid_of_product IS 'orders and units of a product that wait for this buyer''s payment';
"""
TERMS = """
CREATE TABLE shipping_methods (
    id text PRIMARY KEY,
    name text NOT NULL,
    countries text[] CONSTRAINT shipping_methods_have_countries CHECK (cardinality(countries) > 0),
    currency text NOT NULL,
    price_minor bigint NOT NULL CONSTRAINT shipping_methods_price_never_negative CHECK (price_minor >= 0),
    free_from_minor bigint CONSTRAINT shipping_methods_free_from_never_negative CHECK (free_from_minor >= 0),
    tax_class text NOT NULL DEFAULT 'standard',
    active boolean NOT NULL DEFAULT true,
    position integer NOT NULL DEFAULT 0
);
COMMENT ON COLUMN shipping_methods.countries IS 'ISO 3166-1 alpha-2; NULL: all';
COMMENT ON COLUMN shipping_methods.free_from_minor IS 'the goods'' value from which it costs nothing; NULL: never';
CREATE TABLE tax_rates (
    country text,
    tax_class text,
    rate numeric(6, 3) NOT NULL CONSTRAINT tax_rates_in_range CHECK (rate BETWEEN 0 AND 100),
    PRIMARY KEY (country, tax_class)
);
COMMENT ON COLUMN tax_rates.rate IS 'per cent';
"""
# A payment that is late, a second one, or one of another amount is not accepted: it goes back whole.
PAYMENTS = """
CREATE TABLE payments (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL,
    provider text NOT NULL,
    provider_id text,
    url text,
    reference text,
    amount_minor bigint NOT NULL CONSTRAINT payments_of_something CHECK (amount_minor > 0),
    currency text NOT NULL,
    status text NOT NULL DEFAULT 'opening' CONSTRAINT payments_status_known
        CHECK (status IN ('opening', 'open', 'paid', 'failed', 'expired')),
    accepted boolean NOT NULL DEFAULT false CONSTRAINT payments_accepted_when_paid
        CHECK (status = 'paid' OR NOT accepted),
    paid_minor bigint,
    paid_currency text,
    paid_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    ask_at timestamptz NOT NULL DEFAULT now() + interval '2 minutes',
    CONSTRAINT payments_one_per_page UNIQUE (provider, provider_id)
);
COMMENT ON TABLE payments IS 'one row per hosted payment page';
COMMENT ON COLUMN payments.provider_id IS 'of the page, at the provider; NULL: not yet opened, or erased';
COMMENT ON COLUMN payments.reference IS 'what the provider refunds, such as a payment intent';
COMMENT ON COLUMN payments.accepted IS 'it pays the order; another paid one is refunded';
COMMENT ON COLUMN payments.paid_minor IS 'what the provider says was paid, in paid_currency';
COMMENT ON COLUMN payments.ask_at IS 'when to ask the provider again, in case an event was lost';
CREATE INDEX payments_by_order ON payments (order_id);
CREATE UNIQUE INDEX payments_one_accepted ON payments (order_id) WHERE accepted;
CREATE UNIQUE INDEX payments_one_open ON payments (order_id) WHERE status IN ('opening', 'open');
CREATE INDEX payments_to_ask ON payments (ask_at) WHERE status IN ('opening', 'open');

-- VOLATILE: it sees what others committed while the caller waited for the order, which the caller's snapshot does not.
CREATE FUNCTION payments_of_order(which uuid) RETURNS SETOF payments LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN QUERY SELECT * FROM payments WHERE order_id = which;
END
$$;

CREATE TABLE payment_events (
    provider text,
    event_id text,
    payment_id uuid,
    type text NOT NULL,
    outcome text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, event_id)
);
COMMENT ON TABLE payment_events IS 'the events of providers that were applied, each once';
COMMENT ON COLUMN payment_events.payment_id IS 'NULL: of no payment of ours';
CREATE INDEX payment_events_by_payment ON payment_events (payment_id);
CREATE INDEX payment_events_by_time ON payment_events (received_at);

CREATE TABLE refunds (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT refunds_of_something CHECK (amount_minor > 0),
    currency text NOT NULL,
    reason text NOT NULL CONSTRAINT refunds_reason_known
        CHECK (reason IN ('requested', 'cancelled', 'late', 'duplicate', 'mismatch')),
    status text NOT NULL DEFAULT 'pending' CONSTRAINT refunds_status_known
        CHECK (status IN ('pending', 'done', 'failed')),
    failure text,
    provider_id text,
    lines jsonb,
    idempotency_key text,
    fingerprint bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT refunds_one_per_idempotency_key UNIQUE (order_id, idempotency_key)
);
COMMENT ON COLUMN refunds.id IS 'the idempotency key at the provider';
COMMENT ON COLUMN refunds.reason IS
    'requested and cancelled count in orders.refunded_minor; the others return a payment that was not accepted';
COMMENT ON COLUMN refunds.lines IS '[{line, qty}]; NULL: an amount';
CREATE INDEX refunds_by_payment ON refunds (payment_id);
CREATE INDEX refunds_failed ON refunds (created_at) WHERE status = 'failed';
CREATE INDEX refunds_pending ON refunds (id) WHERE status = 'pending';

CREATE TABLE test_payment_pages (
    id text PRIMARY KEY,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL DEFAULT 'open',
    refunds jsonb NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE test_payment_pages IS 'what a provider would keep, for PAYMENT_PROVIDER=test';
COMMENT ON COLUMN test_payment_pages.refunds IS 'minor units by the id of the refund';
"""
EVENTS = """
ALTER TABLE order_events
    ADD COLUMN amount_minor bigint,
    DROP CONSTRAINT order_events_type_known,
    ADD CONSTRAINT order_events_type_known CHECK (type IN ('order.placed', 'order.paid', 'order.shipped',
        'order.delivered', 'order.cancelled', 'order.refunded'));
COMMENT ON COLUMN order_events.amount_minor IS 'what was paid or refunded; NULL for other events';
CREATE TABLE mail_position (
    singleton boolean PRIMARY KEY DEFAULT true CONSTRAINT mail_position_has_one_row CHECK (singleton),
    xid xid8 NOT NULL,
    id uuid NOT NULL
);
COMMENT ON TABLE mail_position IS 'the last event whose mail is queued; no row before the first';
-- What happened before this release is mailed to nobody.
INSERT INTO mail_position (xid, id) SELECT xid, id FROM order_events ORDER BY xid DESC, id DESC LIMIT 1;
"""


def upgrade() -> None:
    for statement in (UNPAID, TERMS, PAYMENTS, EVENTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("""
        DROP FUNCTION payments_of_order;
        DROP TABLE mail_position, test_payment_pages, refunds, payment_events, payments, tax_rates, shipping_methods;
        DELETE FROM order_events WHERE type NOT IN ('order.placed', 'order.cancelled');
        ALTER TABLE order_events DROP COLUMN amount_minor, DROP CONSTRAINT order_events_type_known,
            ADD CONSTRAINT order_events_type_known CHECK (type IN ('order.placed', 'order.cancelled'));
        DROP FUNCTION unpaid_of_product;
    """)
