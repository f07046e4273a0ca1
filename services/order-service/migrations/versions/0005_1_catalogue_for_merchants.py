"""Add what merchants keep about products, and prices with each currency's own decimals.

Code that is still running before this release works on: it sees all products.
"""

from __future__ import annotations

from alembic import op

revision = "0005_1"
down_revision = "0005"

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
# The decimals of ISO 4217 where they are not two. Virtual: a stored column would write the table again, and lock it
# meanwhile. Databases that were migrated before it was virtual have it stored, with the same values.
PRICE = """
ALTER TABLE products ADD COLUMN price numeric NOT NULL GENERATED ALWAYS AS (price_minor * CASE
    WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF',
        'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 1
    WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 0.001
    WHEN currency IN ('CLF', 'UYW') THEN 0.0001
    ELSE 0.01 END) VIRTUAL
"""


def upgrade() -> None:
    op.execute(PRODUCTS)
    op.execute(PRICE)


def downgrade() -> None:
    op.execute("""
        DROP INDEX products_by_group;
        ALTER TABLE products DROP COLUMN price, DROP COLUMN active, DROP COLUMN images, DROP COLUMN tax_class,
            DROP COLUMN group_id, DROP COLUMN options, DROP COLUMN indexed_as, DROP COLUMN search;
        ALTER TABLE products ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS
            (setweight(to_tsvector('english', name), 'A')
             || setweight(to_tsvector('english', description), 'B')) STORED;
        CREATE INDEX products_search ON products USING gin (search);
        COMMENT ON COLUMN products.price_minor IS 'hundredths of the currency'
    """)
