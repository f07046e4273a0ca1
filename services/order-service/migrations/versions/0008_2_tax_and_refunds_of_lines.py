"""Add tax and refunded units to the lines of orders."""

from __future__ import annotations

from alembic import op

revision = "0008_2"
down_revision = "0008_1"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE order_lines
            ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0,
            ADD COLUMN refunded_qty integer NOT NULL DEFAULT 0,
            ADD CONSTRAINT order_lines_refunded_at_most_what_was_sold CHECK (refunded_qty BETWEEN 0 AND qty);
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE order_lines DROP COLUMN tax_minor, DROP COLUMN refunded_qty")
