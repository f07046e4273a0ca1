"""Add shipping, tax, payment, refunds and fulfilment to the orders.

Code that is still running before this release works on: its orders have no shipping, no tax and nothing to pay.
Up to 0009, each migration changes one table that is in use: with the locks of two, it and an order could each wait for
what the other holds.
"""

from __future__ import annotations

from alembic import op

revision = "0008_1"
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
    ADD COLUMN email_refused_at timestamptz,
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
COMMENT ON COLUMN orders.email_refused_at IS 'when a mail server refused the address for good';
"""
ADDED = (
    "email", "email_refused_at", "shipping_method", "shipping_name", "shipping_minor", "shipping_tax_minor",
    "tax_minor", "tax", "prices_include_tax", "payment_status", "pay_until", "paid_minor", "refunded_minor", "shipment",
)  # fmt: skip


def upgrade() -> None:
    op.execute(NUMBER)
    op.execute(ORDERS)


def downgrade() -> None:
    dropped = ", ".join(f"DROP COLUMN {column}" for column in ADDED)
    op.execute(f"""
        UPDATE orders SET status = 'placed', history = history #- '{{-1}}' WHERE status IN ('shipped', 'delivered');
        ALTER TABLE orders {dropped}, DROP CONSTRAINT orders_status_known,
            ADD CONSTRAINT orders_status_known CHECK (status IN ('placed', 'cancelled'));
        DROP FUNCTION order_number;
    """)
