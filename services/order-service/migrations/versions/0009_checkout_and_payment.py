"""Add shipping, tax, payment, refunds and fulfilment.

Code that is still running before this release works on: its orders have no shipping, no tax and nothing to pay.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

# A number for the phone: the last 60 random bits of the id in Crockford's base 32, which has no I, L, O and U.
NUMBER = """
CREATE FUNCTION order_number(id uuid) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    digits CONSTANT text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    bits CONSTANT bigint := ('x' || right(replace(id::text, '-', ''), 15))::bit(60)::bigint;
BEGIN
    RETURN substr(digits, (bits >> 55 & 31)::integer + 1, 1) || substr(digits, (bits >> 50 & 31)::integer + 1, 1)
        || substr(digits, (bits >> 45 & 31)::integer + 1, 1) || substr(digits, (bits >> 40 & 31)::integer + 1, 1)
        || '-'
        || substr(digits, (bits >> 35 & 31)::integer + 1, 1) || substr(digits, (bits >> 30 & 31)::integer + 1, 1)
        || substr(digits, (bits >> 25 & 31)::integer + 1, 1) || substr(digits, (bits >> 20 & 31)::integer + 1, 1)
        || '-'
        || substr(digits, (bits >> 15 & 31)::integer + 1, 1) || substr(digits, (bits >> 10 & 31)::integer + 1, 1)
        || substr(digits, (bits >> 5 & 31)::integer + 1, 1) || substr(digits, (bits & 31)::integer + 1, 1);
END
$$;
"""
ORDERS = """
ALTER TABLE orders
    ADD COLUMN email text,
    ADD COLUMN shipping_method text,
    ADD COLUMN shipping_name text,
    ADD COLUMN shipping_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN shipping_tax_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN tax jsonb,
    ADD COLUMN prices_include_tax boolean NOT NULL DEFAULT true,
    ADD COLUMN payment_status text NOT NULL DEFAULT 'not_required' CONSTRAINT orders_payment_status_known CHECK
        (payment_status IN ('not_required', 'pending', 'failed', 'paid', 'partially_refunded', 'refunded')),
    ADD COLUMN pay_until timestamptz,
    ADD COLUMN paid_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN shipment jsonb,
    DROP CONSTRAINT orders_status_known,
    ADD CONSTRAINT orders_status_known CHECK (status IN ('placed', 'shipped', 'delivered', 'cancelled')),
    ADD CONSTRAINT orders_refunded_at_most_what_was_paid CHECK (refunded_minor BETWEEN 0 AND paid_minor);
COMMENT ON COLUMN orders.shipping_method IS 'the id that was chosen; name and price are those of that day';
COMMENT ON COLUMN orders.shipping_tax_minor IS 'the part of tax_minor that belongs to shipping_minor';
COMMENT ON COLUMN orders.tax IS '[{rate, net_minor, tax_minor}]; NULL: no tax rate applied';
COMMENT ON COLUMN orders.pay_until IS 'until then the order waits for its payment';
COMMENT ON COLUMN orders.paid_minor IS 'by the payment that was accepted';
COMMENT ON COLUMN orders.refunded_minor IS 'of paid_minor: refunds that are done or under way';
COMMENT ON COLUMN orders.shipment IS '{carrier, tracking_number, tracking_url, shipped_at}; NULL: not shipped';
CREATE INDEX orders_by_number ON orders (order_number(id));
CREATE INDEX orders_by_email ON orders (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX orders_by_recipient ON orders (lower(ship_to ->> 'recipient') text_pattern_ops) WHERE ship_to IS NOT NULL;
CREATE INDEX orders_unpaid ON orders (pay_until) WHERE status = 'placed' AND payment_status IN ('pending', 'failed');
CREATE INDEX orders_unpaid_by_buyer ON orders (buyer_id)
    WHERE status = 'placed' AND payment_status IN ('pending', 'failed');
CREATE INDEX orders_to_ship ON orders (id)
    WHERE status = 'placed' AND payment_status IN ('not_required', 'paid', 'partially_refunded');
ALTER TABLE order_lines
    ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_qty integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT order_lines_refunded_at_most_what_was_sold CHECK (refunded_qty BETWEEN 0 AND qty);
"""
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
ALTER TABLE orders ADD COLUMN email_refused_at timestamptz;
CREATE INDEX orders_email_refused ON orders (id) WHERE email_refused_at IS NOT NULL;
COMMENT ON COLUMN orders.email_refused_at IS 'when a mail server refused the address for good';
"""
ADDED_TO_ORDERS = (
    "email", "email_refused_at", "shipping_method", "shipping_name", "shipping_minor", "shipping_tax_minor",
    "tax_minor", "tax", "prices_include_tax", "payment_status", "pay_until", "paid_minor", "refunded_minor", "shipment",
)  # fmt: skip


def upgrade() -> None:
    for statement in (NUMBER, ORDERS, UNPAID, TERMS, PAYMENTS, EVENTS):
        op.execute(statement)


def downgrade() -> None:
    dropped = ", ".join(f"DROP COLUMN {column}" for column in ADDED_TO_ORDERS)
    op.execute(f"""
        DROP FUNCTION payments_of_order;
        DROP TABLE mail_position, test_payment_pages, refunds, payment_events, payments, tax_rates, shipping_methods;
        DELETE FROM order_events WHERE type NOT IN ('order.placed', 'order.cancelled');
        UPDATE orders SET status = 'placed', history = history #- '{{-1}}' WHERE status IN ('shipped', 'delivered');
        ALTER TABLE order_events DROP COLUMN amount_minor, DROP CONSTRAINT order_events_type_known,
            ADD CONSTRAINT order_events_type_known CHECK (type IN ('order.placed', 'order.cancelled'));
        ALTER TABLE order_lines DROP COLUMN tax_minor, DROP COLUMN refunded_qty;
        DROP INDEX orders_by_number, orders_by_email, orders_by_recipient, orders_unpaid, orders_unpaid_by_buyer,
            orders_to_ship, orders_email_refused;
        ALTER TABLE orders {dropped}, DROP CONSTRAINT orders_status_known,
            ADD CONSTRAINT orders_status_known CHECK (status IN ('placed', 'cancelled'));
        DROP FUNCTION unpaid_of_product, order_number;
    """)
