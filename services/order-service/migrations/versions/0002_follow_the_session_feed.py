"""Store ended sessions and the buyers whose personal data must be erased."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE session_feed (
            version bigint NOT NULL,
            singleton boolean PRIMARY KEY DEFAULT true CONSTRAINT session_feed_has_one_row CHECK (singleton)
        )
    """)
    op.execute("CREATE TABLE ended_sessions (session_id text PRIMARY KEY, ended_at timestamptz NOT NULL)")
    op.execute("CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at)")
    op.execute("CREATE TABLE erased_buyers (buyer_id text PRIMARY KEY, erased_at timestamptz NOT NULL)")


def downgrade() -> None:
    op.execute("DROP TABLE erased_buyers, ended_sessions, session_feed")
