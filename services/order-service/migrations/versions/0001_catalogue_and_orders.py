"""Create the catalogue and the orders."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UP = """
CREATE TABLE products (
    id text PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT products_position_key UNIQUE,
    name text NOT NULL,
    description text NOT NULL,
    category text NOT NULL,
    price_minor bigint NOT NULL CONSTRAINT products_price_never_negative CHECK (price_minor >= 0),
    currency text NOT NULL,
    stock integer NOT NULL CONSTRAINT products_stock_never_negative CHECK (stock >= 0),
    search tsvector NOT NULL GENERATED ALWAYS AS
        (setweight(to_tsvector('english', name), 'A') || setweight(to_tsvector('english', description), 'B')) STORED
) WITH (fillfactor = 70);
COMMENT ON COLUMN products.position IS 'the catalogue''s own order';
COMMENT ON COLUMN products.price_minor IS 'hundredths of the currency';
COMMENT ON COLUMN products.currency IS 'ISO 4217';
COMMENT ON COLUMN products.stock IS 'units that can still be sold';
CREATE INDEX products_by_category ON products (category, position);
CREATE INDEX products_by_name ON products (lower(name), position);
CREATE INDEX products_by_price ON products (price_minor, position);
CREATE INDEX products_search ON products USING gin (search);

CREATE TABLE orders (
    id uuid PRIMARY KEY,
    buyer_id text NOT NULL,
    buyer_name text,
    status text NOT NULL CONSTRAINT orders_status_known CHECK (status IN ('placed', 'cancelled')),
    currency text NOT NULL,
    total_minor bigint NOT NULL CONSTRAINT orders_total_never_negative CHECK (total_minor >= 0),
    ship_to jsonb,
    placed_at timestamptz NOT NULL,
    history jsonb NOT NULL,
    idempotency_key text,
    fingerprint bytea,
    receipt text,
    CONSTRAINT orders_one_per_idempotency_key UNIQUE (buyer_id, idempotency_key)
);
COMMENT ON COLUMN orders.id IS 'UUIDv7: sorts by time';
COMMENT ON COLUMN orders.history IS '[{status, at}], oldest first';
COMMENT ON COLUMN orders.fingerprint IS 'of the request that the key came with';
COMMENT ON COLUMN orders.receipt IS 'the answer to that request, to the byte';
CREATE INDEX orders_by_buyer ON orders (buyer_id, id);

CREATE TABLE order_lines (
    order_id uuid REFERENCES orders (id) ON DELETE CASCADE,
    line smallint,
    product_id text NOT NULL,
    name text NOT NULL,
    unit_price_minor bigint NOT NULL CONSTRAINT order_lines_price_never_negative CHECK (unit_price_minor >= 0),
    qty integer NOT NULL CONSTRAINT order_lines_qty_in_range CHECK (qty BETWEEN 1 AND 999),
    PRIMARY KEY (order_id, line)
);
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE order_lines, orders, products")
