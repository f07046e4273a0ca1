"""The background jobs of order-service."""

from __future__ import annotations

from uuid import UUID

from chassis.jobs.queue import forget_failed
from chassis.jobs.tasks import Tasks
from order_service.mails import sending
from order_service.payments import closing, refunding, retention
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


@tasks.task(retry_hours=14 * 24)
def refund_payment(services: Services, refund_id: str) -> None:
    """Return money through the payment provider, which may take days."""
    refunding.refund_payment(services.database, services.payments, refund_id=UUID(refund_id))


@tasks.task()
def close_payment_page(services: Services, payment_id: str) -> None:
    """Let nobody pay on the page of an order that does not wait for it any more."""
    closing.close_page(
        services.database, services.payments, payment_id=UUID(payment_id), public_url=services.settings.public_url
    )


@tasks.periodic("* * * * *")
def expire_orders(services: Services) -> None:
    """Cancel the orders that were not paid in time."""
    closing.expire_orders(services.database, services.payments, public_url=services.settings.public_url)


@tasks.periodic("* * * * *")
def ask_about_payments(services: Services) -> None:
    """Ask the payment provider about open pages, in case an event was lost."""
    closing.ask_about_payments(services.database, services.payments, public_url=services.settings.public_url)


@tasks.periodic("* * * * * */5")
def follow_events_for_mails(services: Services) -> None:
    """Queue the mails about what happened to orders."""
    sending.follow(services.database)


@tasks.task()
def send_order_mail(services: Services, event_id: str, xid: str) -> None:
    """Mail the customer what happened to an order, for a day until the mail server takes it."""
    sending.send_mail(services.database, services.settings, event_id=UUID(event_id), xid=xid)


@tasks.periodic("50 3 * * *")
def forget_payment_events(services: Services) -> None:
    """Delete the events of payment providers of three months ago."""
    retention.forget_events(services.database)
