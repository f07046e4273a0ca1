"""Keep passkeys, and the challenges that were answered."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE passkeys (
            credential_id bytea PRIMARY KEY,
            user_id text NOT NULL REFERENCES users (id),
            public_key bytea NOT NULL,
            sign_count bigint NOT NULL,
            name text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            last_used_at timestamptz
        )
    """)
    op.execute("CREATE INDEX passkeys_by_user ON passkeys (user_id)")
    op.execute("CREATE TABLE used_challenges (digest bytea PRIMARY KEY, expires_at timestamptz NOT NULL)")
    op.execute("CREATE INDEX used_challenges_by_expiry ON used_challenges (expires_at)")


def downgrade() -> None:
    op.execute("DROP TABLE used_challenges, passkeys")
