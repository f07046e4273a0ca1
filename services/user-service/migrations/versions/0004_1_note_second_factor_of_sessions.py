"""Note which sessions began with a second factor.

Apart from 0005, which changes the users: with the locks of both tables, the migration and a sign-in could each wait for
what the other holds.
"""

from __future__ import annotations

from alembic import op

revision = "0004_1"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE sessions ADD COLUMN second_factor boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    op.execute("ALTER TABLE sessions DROP COLUMN second_factor")
