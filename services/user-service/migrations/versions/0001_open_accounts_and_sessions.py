"""Open accounts and sessions."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE users (
            id text PRIMARY KEY DEFAULT 'u-' || replace(uuidv7()::text, '-', ''),
            username_digest bytea NOT NULL CONSTRAINT users_username_unique UNIQUE,
            username text,
            password_hash text,
            password_changed_at timestamptz NOT NULL DEFAULT now(),
            name text,
            email text,
            email_key text CONSTRAINT users_email_unique UNIQUE,
            phone text,
            shipping_address jsonb,
            created_at timestamptz NOT NULL DEFAULT now(),
            deleted_at timestamptz,
            CONSTRAINT users_can_sign_in CHECK (
                deleted_at IS NOT NULL OR (username IS NOT NULL AND password_hash IS NOT NULL)
            ),
            CONSTRAINT users_deleted_means_erased CHECK (
                deleted_at IS NULL
                OR num_nonnulls(username, password_hash, name, email, email_key, phone, shipping_address) = 0
            ),
            CONSTRAINT users_email_has_its_key CHECK ((email IS NULL) = (email_key IS NULL))
        )
    """)
    op.execute("""
        CREATE TABLE sessions (
            id text PRIMARY KEY DEFAULT 's-' || replace(uuidv7()::text, '-', ''),
            user_id text NOT NULL REFERENCES users (id),
            user_agent text,
            created_at timestamptz NOT NULL DEFAULT now(),
            last_used_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL,
            ended_at timestamptz
        )
    """)
    op.execute("CREATE INDEX sessions_by_user ON sessions (user_id)")
    op.execute("""
        CREATE TABLE refresh_tokens (
            digest bytea PRIMARY KEY,
            session_id text NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            uses integer NOT NULL DEFAULT 0,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id)")


def downgrade() -> None:
    op.execute("DROP TABLE refresh_tokens, sessions, users")
