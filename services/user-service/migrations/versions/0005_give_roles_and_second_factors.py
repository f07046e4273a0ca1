"""Give users roles and a second factor, disable accounts, and keep what staff changed."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004_1"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE users
            ADD COLUMN roles text[] NOT NULL DEFAULT '{}'
                CONSTRAINT users_roles_are_known CHECK (roles <@ ARRAY['staff']),
            ADD COLUMN disabled_at timestamptz,
            ADD COLUMN totp_secret text,
            ADD COLUMN totp_since timestamptz,
            ADD COLUMN totp_step bigint NOT NULL DEFAULT 0,
            ADD COLUMN totp_offered text,
            ADD CONSTRAINT users_totp_has_its_time CHECK ((totp_secret IS NULL) = (totp_since IS NULL)),
            ADD CONSTRAINT users_deleted_have_no_rights CHECK (
                deleted_at IS NULL OR (roles = '{}' AND num_nonnulls(totp_secret, totp_offered) = 0)
            )
    """)
    # An index, because `list` and the search for staff must not read all customers.
    op.execute("CREATE INDEX users_with_roles ON users (id) WHERE roles <> '{}'")
    op.execute("""
        CREATE TABLE recovery_codes (
            user_id text NOT NULL REFERENCES users (id),
            digest bytea NOT NULL,
            PRIMARY KEY (user_id, digest)
        )
    """)
    op.execute("""
        CREATE TABLE audit_entries (
            id uuid PRIMARY KEY DEFAULT uuidv7(),
            at timestamptz NOT NULL DEFAULT now(),
            staff_id text,
            staff_name text,
            action text NOT NULL,
            subject text NOT NULL,
            before jsonb,
            after jsonb
        )
    """)
    op.execute("CREATE INDEX audit_entries_by_staff ON audit_entries (staff_id, id)")
    op.execute("CREATE INDEX audit_entries_by_subject ON audit_entries (subject, id)")


def downgrade() -> None:
    op.execute("DROP TABLE audit_entries, recovery_codes")
    op.execute("""
        ALTER TABLE users
            DROP CONSTRAINT users_deleted_have_no_rights,
            DROP CONSTRAINT users_totp_has_its_time,
            DROP COLUMN roles, DROP COLUMN disabled_at,
            DROP COLUMN totp_secret, DROP COLUMN totp_since, DROP COLUMN totp_step, DROP COLUMN totp_offered
    """)
