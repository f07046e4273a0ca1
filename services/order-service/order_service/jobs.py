"""The background jobs of order-service."""

from __future__ import annotations

from uuid import UUID

from chassis.jobs.queue import forget_failed
from chassis.jobs.tasks import Tasks
from order_service.services import Services
from order_service.webhooks import delivery

tasks = Tasks()


@tasks.periodic("30 3 * * *")
def forget_failed_jobs(services: Services) -> None:
    """Delete the jobs that failed a month ago."""
    forget_failed(services.database)


@tasks.periodic("* * * * * */5")
def follow_events(services: Services) -> None:
    """Make the deliveries of new events to webhooks."""
    delivery.follow(services.database)


@tasks.task()
def deliver_webhook(services: Services, webhook_id: str) -> None:
    """Send the deliveries of a webhook that are due."""
    delivery.deliver(services.database, webhook_id=UUID(webhook_id), local=not services.settings.https)


@tasks.periodic("40 3 * * *")
def forget_deliveries(services: Services) -> None:
    """Delete the deliveries that ended a month ago."""
    delivery.forget(services.database)


@tasks.task()
def forget_deliveries_of_webhook(services: Services, webhook_id: str) -> None:
    """Delete the deliveries of a webhook that was deleted."""
    delivery.forget_webhook(services.database, webhook_id=UUID(webhook_id))
