"""Send the mails about an account: the tasks of background jobs.

A token is made when its mail is sent: a job that runs again replaces it. Jobs know ids alone, and mail goes to the
address that is stored, never to one that somebody typed.
"""

from __future__ import annotations

import logging
from typing import NamedTuple
from urllib.parse import quote

from chassis.db.database import Database, Row
from chassis.jobs import defer
from chassis.mail import Refused, send
from user_service.mails import compose
from user_service.recovery import queries, rules, statements
from user_service.services import Services
from user_service.sessions.refresh_tokens import digest, new_token

log = logging.getLogger(__name__)

MOST_ACCOUNTS = 3
"""How many accounts that name an address, none of which has proved it, get a mail for one forgotten password."""


class TokenMail(NamedTuple):
    """A mail with a token: its template, the page of its link, and the token's purpose."""

    template: str
    page: str
    purpose: str


CONFIRMATION = TokenMail("confirmation", "/account/email/confirm", rules.CONFIRM)
RESET = TokenMail("reset", "/account/password/new", rules.RESET)


def send_confirmation(services: Services, user_id: str) -> None:
    """Ask the mailbox of an unconfirmed address to confirm it."""
    _send_token(services, CONFIRMATION, user_id)


def send_reset(services: Services, user_id: str) -> None:
    """Mail a code for a new password to the account's address."""
    _send_token(services, RESET, user_id)


def find_forgotten(services: Services, address_id: int) -> None:
    """Have a code mailed to the account that somebody named by its address; to none if there is none."""
    with services.database.transaction("find_forgotten") as connection:
        taken = {"address_id": address_id, "most": MOST_ACCOUNTS}
        for account in connection.execute(statements.TAKE_FORGOTTEN, taken).fetchall():
            defer(connection, "send_reset", {"user_id": account.id})


def tell_new_password(services: Services, user_id: str) -> None:
    """Tell the mailbox that the password was changed."""
    row = services.database.fetch_one(queries.OF_NEW_PASSWORD, {"user_id": user_id})
    _tell(services, "new-password", row, f"password-{row.at.timestamp()}-{user_id}" if row else "")


def tell_new_device(services: Services, session_id: str) -> None:
    """Tell the mailbox that somebody signed in on a device that had not signed in before."""
    row = services.database.fetch_one(queries.OF_NEW_DEVICE, {"session_id": session_id})
    _tell(services, "new-device", row, f"session-{session_id}")


def tell_old_address(services: Services, address_id: int) -> None:
    """Tell the verified address that is to be replaced or was removed."""
    row = services.database.fetch_one(queries.OF_OLD_ADDRESS, {"address_id": address_id})
    _tell(services, "old-address", row, f"address-{address_id}")
    services.database.fetch_one(statements.DROP_ADDRESS, {"address_id": address_id})


def forget_expired(database: Database) -> None:
    """Delete expired tokens, and addresses that have waited for longer than any job is repeated."""
    database.fetch_all(statements.DROP_EXPIRED_TOKENS)
    database.fetch_all(statements.DROP_OLD_ADDRESSES)


def _send_token(services: Services, kind: TokenMail, user_id: str) -> None:
    token = new_token()
    seconds = rules.SECONDS[kind.purpose]
    issued = {"digest": digest(token), "user_id": user_id, "purpose": kind.purpose, "seconds": seconds}
    row = services.database.fetch_one(statements.ISSUE, issued)
    if row is None:
        return  # nothing to confirm any more, or the account was deleted
    # The token stands behind the "#", which browsers send to no server. A mail that is sent again has another
    # Message-ID than the first one, because only its own code is good: mail programs must show both.
    values = {"username": row.username, "link": _url(services, f"{kind.page}#code={quote(token)}"), "code": token}
    _deliver(services, kind.template, row, digest(token).hex(), values)


def _tell(services: Services, template: str, row: Row | None, message_id: str) -> None:
    if row is None:
        return  # the account was deleted meanwhile, or nobody has confirmed its address
    values = {**row._asdict(), "link": _url(services, "/account/password/forgotten")}
    _deliver(services, template, row, message_id, values)


def _url(services: Services, path: str) -> str:
    return f"{services.settings.public_url.rstrip('/')}{path}"


def _deliver(services: Services, template: str, row: Row, message_id: str, values: dict[str, str]) -> None:
    """Send the mail; note on the account that its address was refused, or that it is accepted again."""
    try:
        send(services.settings, compose(template, to=row.email, message_id=message_id, **values))
        refused = False
    except Refused:
        log.warning("mail_refused", extra={"user_id": row.user_id})
        refused = True
    if refused or row.email_refused_at:
        noted = {"user_id": row.user_id, "email_key": row.email_key, "refused": refused}
        services.database.fetch_one(statements.NOTE_REFUSAL, noted)
