"""The background jobs of order-service."""

from __future__ import annotations

from chassis.jobs.queue import forget_failed
from chassis.jobs.tasks import Tasks
from order_service.services import Services

tasks = Tasks()


@tasks.periodic("30 3 * * *")
def forget_failed_jobs(services: Services) -> None:
    """Delete the jobs that failed a month ago."""
    forget_failed(services.database)
