"""Problems of confirming addresses and of resetting passwords, and the lifetimes of what a mail carries."""

from __future__ import annotations

from chassis.problems import Conflict, InvalidRequest

CONFIRM, RESET = "confirm_email", "reset_password"
"""The purposes of a token; each serves one."""
SECONDS = {CONFIRM: 3 * 86_400, RESET: 1800}


class InvalidMailToken(InvalidRequest):
    """Unknown, used, expired, replaced by a newer mail, or for an address that the account no longer has."""

    code, error = "invalid_mail_token", "this code was used, replaced or is too old; ask for a new mail"


class EmailTaken(Conflict):
    """Told to somebody who reads the mails of this address: that it has another account is no secret from them."""

    code, error = "email_taken", "another account has this email address; sign in to that one, or change it there first"


class NothingToConfirm(Conflict):
    code, error = "nothing_to_confirm", "this account has no email address that needs to be confirmed"


TAKEN = {"users_verified_email_unique": EmailTaken}
