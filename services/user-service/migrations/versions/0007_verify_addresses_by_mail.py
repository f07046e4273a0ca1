"""Verify addresses by mail: an address is unique once it is verified, not before."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # A verified address stays in use until its successor, `new_email`, is verified too.
    op.execute("""
        ALTER TABLE users
            ADD email_verified_at timestamptz,
            ADD email_refused_at timestamptz,
            ADD new_email text,
            ADD new_email_key text,
            ADD CONSTRAINT users_new_email_has_its_key CHECK ((new_email IS NULL) = (new_email_key IS NULL)),
            ADD CONSTRAINT users_verified_has_email CHECK (email_verified_at IS NULL OR email IS NOT NULL),
            ADD CONSTRAINT users_new_email_follows_a_verified_one
                CHECK (new_email IS NULL OR email_verified_at IS NOT NULL),
            DROP CONSTRAINT users_email_unique
    """)
    op.execute("""
        CREATE UNIQUE INDEX users_verified_email_unique ON users (email_key) WHERE email_verified_at IS NOT NULL
    """)
    op.execute("CREATE INDEX users_by_email ON users (email_key)")
    # Also for statements that know nothing of verification, such as those of the version before: whoever changes or
    # erases an address does not leave the new one verified, nor the rest of the old one.
    op.execute("""
        CREATE FUNCTION forget_verification() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.email_verified_at := NULL;
            NEW.email_refused_at := NULL;
            NEW.new_email := NULL;
            NEW.new_email_key := NULL;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER users_forget_verification BEFORE UPDATE OF email_key ON users FOR EACH ROW
        WHEN (
            NEW.email_key IS DISTINCT FROM OLD.email_key
            AND NEW.email_verified_at IS NOT DISTINCT FROM OLD.email_verified_at
        )
        EXECUTE FUNCTION forget_verification()
    """)
    # A token that a mail carried. It stands for the address that the mail went to; the next one replaces it.
    op.execute("""
        CREATE TABLE mail_tokens (
            digest bytea PRIMARY KEY,
            user_id text NOT NULL REFERENCES users (id),
            purpose text NOT NULL CHECK (purpose IN ('confirm_email', 'reset_password')),
            email_key text NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT mail_tokens_one_for_each_purpose UNIQUE (user_id, purpose)
        )
    """)
    # Addresses that a waiting job needs, and that no account may have: jobs themselves carry ids alone.
    op.execute("""
        CREATE TABLE mail_addresses (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            user_id text REFERENCES users (id),
            email text NOT NULL,
            email_key text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX mail_addresses_by_user ON mail_addresses (user_id)")


def downgrade() -> None:
    op.execute("DROP TABLE mail_addresses, mail_tokens")
    op.execute("DROP TRIGGER users_forget_verification ON users")
    op.execute("DROP FUNCTION forget_verification")
    op.execute("DROP INDEX users_by_email, users_verified_email_unique")
    op.execute("""
        ALTER TABLE users
            DROP COLUMN email_verified_at, DROP COLUMN email_refused_at,
            DROP COLUMN new_email, DROP COLUMN new_email_key,
            ADD CONSTRAINT users_email_unique UNIQUE (email_key)
    """)
