"""Keep a feed of ended sessions and erased accounts for other services to follow."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE endings (
            version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT now(),
            session_id text,
            user_id text,
            CONSTRAINT endings_are_of_one_kind CHECK (num_nonnulls(session_id, user_id) = 1)
        )
    """)
    op.execute("CREATE INDEX endings_by_time ON endings (at)")
    # A reader that has seen version 10 must not miss a version 9 that commits later. So a lock is held from taking
    # a version to the commit. The trigger is deferred, which makes it the last lock that a transaction takes.
    # Two days: longer than any token lives (TOKEN_TTL_SECONDS is a day at most). Erasures are kept for ever.
    op.execute("""
        CREATE FUNCTION note_ending() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('endings'));
            IF TG_TABLE_NAME = 'sessions' THEN
                INSERT INTO endings (session_id) VALUES (NEW.id);
            ELSE
                INSERT INTO endings (user_id) VALUES (NEW.id);
            END IF;
            DELETE FROM endings WHERE session_id IS NOT NULL AND at < now() - interval '2 days';
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER sessions_note_ending AFTER UPDATE ON sessions
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION note_ending()
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER users_note_erasure AFTER UPDATE ON users
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION note_ending()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER users_note_erasure ON users")
    op.execute("DROP TRIGGER sessions_note_ending ON sessions")
    op.execute("DROP FUNCTION note_ending")
    op.execute("DROP TABLE endings")
