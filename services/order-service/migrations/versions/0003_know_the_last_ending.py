"""Keep the time of the last ending learned: it tells the entry from one of another log with the same number."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE session_feed ADD COLUMN at timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE session_feed DROP COLUMN at")
