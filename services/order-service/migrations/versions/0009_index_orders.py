"""Index the orders for the back office, for payment and for fulfilment."""

from __future__ import annotations

from alembic import op

from chassis.db.migrations import create_indexes

revision = "0009"
down_revision = "0008_3"

INDEXES = {
    "orders_by_number": "orders (order_number(id))",
    "orders_by_email": "orders (lower(email)) WHERE email IS NOT NULL",
    "orders_by_recipient": "orders (lower(ship_to ->> 'recipient') text_pattern_ops) WHERE ship_to IS NOT NULL",
    "orders_unpaid": "orders (pay_until) WHERE status = 'placed' AND payment_status IN ('pending', 'failed')",
    "orders_unpaid_by_buyer": """orders (buyer_id)
    WHERE status = 'placed' AND payment_status IN ('pending', 'failed')""",
    "orders_to_ship": """orders (id)
    WHERE status = 'placed' AND payment_status IN ('not_required', 'paid', 'partially_refunded')""",
    "orders_email_refused": "orders (id) WHERE email_refused_at IS NOT NULL",
}


def upgrade() -> None:
    create_indexes(INDEXES)


def downgrade() -> None:
    op.execute(f"DROP INDEX {', '.join(INDEXES)}")
