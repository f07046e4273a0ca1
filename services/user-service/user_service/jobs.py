"""The background jobs of user-service."""

from __future__ import annotations

from chassis.jobs.queue import forget_failed
from chassis.jobs.tasks import Tasks
from user_service.recovery import sending
from user_service.services import Services
from user_service.sessions import actions

tasks = Tasks()
for task in (
    sending.send_confirmation,
    sending.send_reset,
    sending.find_forgotten,
    sending.tell_new_password,
    sending.tell_new_device,
    sending.tell_old_address,
):
    tasks.task()(task)


@tasks.periodic("30 3 * * *")
def forget_failed_jobs(services: Services) -> None:
    """Delete the jobs that failed a month ago."""
    forget_failed(services.database)


@tasks.periodic("40 3 * * *")
def forget_mails(services: Services) -> None:
    """Delete expired tokens, and addresses whose mails nobody sends any more."""
    sending.forget_expired(services.database)


@tasks.periodic("0 3 * * *")
def forget_ended_sessions(services: Services) -> None:
    """Delete sessions that ended or expired two days ago."""
    actions.forget_ended(services.database)
