"""Keep what staff changed."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
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
    op.execute("DROP TABLE audit_entries")
