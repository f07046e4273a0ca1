"""The background jobs of user-service."""

from __future__ import annotations

from chassis.jobs.queue import forget_failed
from chassis.jobs.tasks import Tasks
from user_service.services import Services
from user_service.sessions import actions

tasks = Tasks()


@tasks.periodic("30 3 * * *")
def forget_failed_jobs(services: Services) -> None:
    """Delete the jobs that failed a month ago."""
    forget_failed(services.database)


@tasks.periodic("0 3 * * *")
def forget_ended_sessions(services: Services) -> None:
    """Delete sessions that ended or expired two days ago."""
    actions.forget_ended(services.database)
