"""Note a session's last refresh, so that the same client may repeat it for a few seconds."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE sessions
            ADD COLUMN spent_token bytea,
            ADD COLUMN spent_by bytea,
            ADD COLUMN successor_key bytea
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE sessions DROP COLUMN spent_token, DROP COLUMN spent_by, DROP COLUMN successor_key")
