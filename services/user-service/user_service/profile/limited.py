"""Change or delete the caller's account within the rate limits."""

from __future__ import annotations

from typing import Any

from chassis.context import Caller
from chassis.db.database import Row
from chassis.rate_limit.policy import Rule
from user_service.accounts.limited import mailing
from user_service.profile import actions
from user_service.profile.rules import WrongPassword
from user_service.profile.schemas import DeletionBody, PasswordBody, ProfileChanges
from user_service.services import Services

# Counted by session: a thief of a token must not lock out the owner, who can sign in again.
CONFIRMING = Rule("password", failures=(WrongPassword,))


def confirm(services: Services, caller: Caller, password: str) -> Row:
    """Return the caller's credentials; raise WrongPassword or TooManyRequests unless this is the password."""
    with services.rate_limiter.attempt(CONFIRMING, caller.session_id):
        return actions.confirm(services.database, services.passwords, caller=caller, password=password)


def change_profile(services: Services, caller: Caller, body: ProfileChanges) -> dict[str, Any]:
    """Change the caller's profile and return it; a new email address needs the password."""
    changes = body.model_dump(exclude_unset=True, exclude={"current_password"})
    if body.current_password is None:
        return actions.change_profile(services.database, caller=caller, changes=changes)
    confirm(services, caller, body.current_password)
    with mailing(services, body.email):
        return actions.change_profile(services.database, caller=caller, changes=changes)


def change_password(services: Services, caller: Caller, body: PasswordBody) -> None:
    """Set a new password and end the caller's other sessions."""
    with services.rate_limiter.attempt(CONFIRMING, caller.session_id):
        actions.change_password(
            services.database, services.passwords, caller=caller, current=body.current_password, new=body.new_password
        )


def delete_account(services: Services, caller: Caller, body: DeletionBody) -> None:
    """Erase the caller's personal data and end all sessions."""
    with services.rate_limiter.attempt(CONFIRMING, caller.session_id):
        actions.delete_account(services.database, services.passwords, caller=caller, password=body.password)
