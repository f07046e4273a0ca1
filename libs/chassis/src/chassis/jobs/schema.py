"""Create and drop the tables of the job queue in a migration."""

from __future__ import annotations

from pathlib import Path

from alembic import op

FIRST = Path(__file__).with_name("procrastinate-3.10.0.sql")

# A notification takes a lock on the whole database at each commit: eight clients deferred 266 jobs a second with the
# triggers, 1105 without. Workers poll, and behind PgBouncer they would hear nothing anyway.
NO_NOTIFICATIONS = """
DROP TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 ON procrastinate_jobs;
DROP TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 ON procrastinate_jobs;
DROP FUNCTION procrastinate_notify_queue_job_inserted_v1, procrastinate_notify_queue_abort_job_v1;
"""
# Without it, fetching reads every job that waits for its time: 31 ms instead of 1 ms with 100,000 of them.
BY_TIME = "CREATE INDEX procrastinate_jobs_by_time ON procrastinate_jobs (scheduled_at) WHERE status = 'todo'"

TABLES = "procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers"
DROP_FUNCTIONS_AND_TYPES = r"""
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
        WHERE nspname = current_schema AND proname LIKE 'procrastinate\_%'
    LOOP
        EXECUTE 'DROP FUNCTION ' || found.name;
    END LOOP;
END $$;
DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type, procrastinate_job_status;
"""


def create() -> None:
    """Create the queue."""
    _run(FIRST.read_text())
    _run(NO_NOTIFICATIONS)
    _run(BY_TIME)


def drop() -> None:
    """Drop the queue and the jobs in it."""
    _run("DROP FUNCTION procrastinate_fetch_job_v2")  # returns rows of a table
    _run(f"DROP TABLE {TABLES}")
    _run(DROP_FUNCTIONS_AND_TYPES)


def _run(sql: str) -> None:
    """Run SQL in the migration's transaction; `op.execute` would take its colons for parameters."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None  # noqa: S101 - for the types
    connection.execute(sql)
