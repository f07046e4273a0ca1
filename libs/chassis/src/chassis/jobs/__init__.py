"""Background jobs: `defer` writes a job, a worker process (`chassis.server.job_worker`) runs it later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chassis.db.database import DeadlineConnection
from chassis.db.statement import Statement

# The queue has the name of the task, and a worker asks only for the tasks that it knows: during a release, a job of
# newer code waits for a newer worker. Plain SQL, because procrastinate's own function fails on a known queueing lock.
DEFER = Statement("""-- defer_job
INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)
VALUES (%(task)s, %(task)s, %(queueing_lock)s, %(ids)s, %(run_at)s)
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
""")


def deferred(task: str, ids: str) -> str:
    """Return the beginning of a CTE that writes jobs: `queued AS ({deferred("ship", "'order_id', id")} FROM changed)`.

    `ids` are the arguments of jsonb_build_object. What `defer` says of ids holds here too.
    """
    return f"""INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    SELECT '{task}', '{task}', jsonb_build_object({ids})"""


def defer(
    connection: DeadlineConnection,
    task: str,
    ids: Mapping[str, str | int],
    *,
    run_at: datetime | None = None,
    queueing_lock: str | None = None,
) -> None:
    """Write a job in the connection's transaction; a worker runs `task` with `ids` after the commit, or at `run_at`.

    `ids` name rows and hold no personal data: jobs outlive an erasure. The task may run more than once. While a job
    with the same `queueing_lock` waits, no second one is written.
    """
    parameters = {"task": task, "queueing_lock": queueing_lock, "ids": dict(ids), "run_at": run_at}
    connection.shared_cursor.execute(DEFER, parameters)
