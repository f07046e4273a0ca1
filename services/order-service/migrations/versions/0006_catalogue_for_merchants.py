"""Add what merchants keep about products, the record of stock movements, and each currency's own decimals.

Code that is still running before this release works on: it sees all products, and its sales are missing from the
record until `stock audit --correct` adds them.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

# The decimals of ISO 4217 where they are not two, as a factor on hundredths.
FACTORS = {
    "0.01": "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    "10": "BHD IQD JOD KWD LYD OMR TND",
    "100": "CLF UYW",
}
PRODUCTS = """
ALTER TABLE products
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    ADD COLUMN images text[],
    ADD COLUMN tax_class text NOT NULL DEFAULT 'standard',
    ADD COLUMN group_id text,
    ADD COLUMN options jsonb,
    ADD COLUMN indexed_as text,
    ALTER COLUMN search DROP expression,
    ALTER COLUMN search SET DEFAULT '';
COMMENT ON COLUMN products.price_minor IS 'in the smallest unit of the currency';
COMMENT ON COLUMN products.active IS 'an inactive product is neither listed nor sold';
COMMENT ON COLUMN products.images IS 'URLs; NULL: none';
COMMENT ON COLUMN products.group_id IS 'shared by the variants of one article';
COMMENT ON COLUMN products.options IS 'what tells a variant from others, such as {"Size": "M"}; NULL: nothing';
COMMENT ON COLUMN products.search IS 'written by catalog/search.py';
COMMENT ON COLUMN products.indexed_as IS 'language and version of search; NULL: not yet written';
CREATE INDEX products_by_group ON products (group_id, position) WHERE group_id IS NOT NULL;
"""
MOVEMENTS = """
CREATE TABLE stock_movements (
    product_id text,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CONSTRAINT stock_movements_kind_known
        CHECK (kind IN ('opening', 'sale', 'cancellation', 'adjustment', 'import', 'refund')),
    units integer NOT NULL CONSTRAINT stock_movements_move_something CHECK (units <> 0),
    order_id uuid,
    reason text,
    idempotency_key text,
    PRIMARY KEY (product_id, id)
);
CREATE UNIQUE INDEX stock_movements_one_per_idempotency_key ON stock_movements (product_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
COMMENT ON TABLE stock_movements IS 'the sum of a product''s units is its stock';
INSERT INTO stock_movements (product_id, kind, units)
SELECT id, 'opening', stock FROM products WHERE stock <> 0 ORDER BY id;
"""
CONVERT = (
    "UPDATE products SET price_minor = round(price_minor * ({factor})) WHERE currency IN ('{listed}')",
    """
    UPDATE order_lines SET unit_price_minor = round(unit_price_minor * ({factor}))
    FROM orders WHERE orders.id = order_id AND currency IN ('{listed}')
    """,
    """
    UPDATE orders SET total_minor =
        (SELECT coalesce(sum(unit_price_minor * qty), 0) FROM order_lines WHERE order_id = orders.id)
    WHERE currency IN ('{listed}')
    """,
)


def upgrade() -> None:
    op.execute(PRODUCTS)
    op.execute(f"ALTER TABLE products ADD COLUMN price numeric NOT NULL GENERATED ALWAYS AS ({_price()}) STORED")
    op.execute(MOVEMENTS)
    for factor, codes in FACTORS.items():
        _convert(factor, codes)


def downgrade() -> None:
    for factor, codes in FACTORS.items():
        _convert(f"1 / {factor}", codes)
    op.execute("""
        DROP TABLE stock_movements;
        DROP INDEX products_by_group;
        ALTER TABLE products DROP COLUMN price, DROP COLUMN active, DROP COLUMN images, DROP COLUMN tax_class,
            DROP COLUMN group_id, DROP COLUMN options, DROP COLUMN indexed_as, DROP COLUMN search;
        ALTER TABLE products ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS
            (setweight(to_tsvector('english', name), 'A')
             || setweight(to_tsvector('english', description), 'B')) STORED;
        CREATE INDEX products_search ON products USING gin (search);
        COMMENT ON COLUMN products.price_minor IS 'hundredths of the currency'
    """)


def _price() -> str:
    """Return the price as a number with the currency's decimals: computed at each change of it, not at each request."""
    units = {"0.01": "1", "10": "0.001", "100": "0.0001"}
    cases = " ".join(
        "WHEN currency IN ('{}') THEN {}".format("', '".join(codes.split()), units[factor])
        for factor, codes in FACTORS.items()
    )
    return f"price_minor * CASE {cases} ELSE 0.01 END"


def _convert(factor: str, codes: str) -> None:
    """Convert all amounts in these currencies; totals stay the sums of their lines."""
    listed = "', '".join(codes.split())
    for statement in CONVERT:
        op.execute(statement.format(factor=factor, listed=listed))
