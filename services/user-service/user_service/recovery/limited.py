"""Confirm addresses and reset passwords within the rate limits."""

from __future__ import annotations

from chassis.context import Caller
from chassis.rate_limit.policy import Rule
from user_service.accounts.limited import mailing
from user_service.recovery import actions
from user_service.recovery.schemas import ConfirmEmailBody, ForgottenBody, ResetBody
from user_service.services import Services

# By client alone, as nobody guesses a token, and as the mail itself is counted by its address.
USING_TOKEN, SENDING_AGAIN = Rule("mail-token"), Rule("mail-again")


def send_again(services: Services, caller: Caller) -> None:
    """Have the mail sent again; raise NothingToConfirm or TooManyRequests."""
    with services.rate_limiter.attempt(SENDING_AGAIN):
        email = actions.unconfirmed(services.database, caller=caller)
        with mailing(services, email):
            actions.ask_to_confirm(services.database, user_id=caller.user_id)


def confirm(services: Services, body: ConfirmEmailBody) -> None:
    """Confirm an address; raise InvalidMailToken, EmailTaken or TooManyRequests."""
    with services.rate_limiter.attempt(USING_TOKEN):
        actions.confirm(services.database, token=body.token)


def note_forgotten(services: Services, body: ForgottenBody) -> None:
    """Have a mail sent to the account with this address, if there is one; raise TooManyRequests."""
    with mailing(services, body.email):
        actions.note_forgotten(services.database, email=body.email)


def reset_password(services: Services, body: ResetBody) -> None:
    """Set a new password; raise InvalidMailToken, WeakPassword or TooManyRequests."""
    with services.rate_limiter.attempt(USING_TOKEN):
        actions.reset_password(services.database, services.passwords, token=body.token, new_password=body.new_password)
