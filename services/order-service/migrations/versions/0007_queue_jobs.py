"""Create the queue of background jobs."""

from __future__ import annotations

from chassis.jobs import schema

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    schema.create()


def downgrade() -> None:
    schema.drop()
