"""Change or delete the caller's account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg.sql import SQL, Identifier, Placeholder

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database, DeadlineConnection, Row
from chassis.db.statement import Statement
from chassis.jobs import defer
from chassis.problems import InvalidToken
from user_service.accounts.passwords import Passwords
from user_service.accounts.rules import email_key, refuse_weak
from user_service.profile import queries
from user_service.profile.rules import WrongPassword, has_country_code, international_phone

# The conditions on `users` hold for the row as a concurrent deletion left it: the statement waits for its lock.
CHANGE = SQL("""-- change_profile
UPDATE users SET {}
FROM sessions live
WHERE users.id = %(user_id)s AND live.id = %(session_id)s AND live.user_id = users.id AND live.ended_at IS NULL
    AND users.deleted_at IS NULL
RETURNING users.id, username, name, users.email, phone, shipping_address,
    email_verified_at, email_refused_at, new_email,
    old.email AS old_email, old.email_key AS old_email_key, old.email_verified_at IS NOT NULL AS was_verified
""")
# A verified address stays until the new one is confirmed; the same address in another spelling needs no confirmation.
_WAITS = SQL("email_verified_at IS NOT NULL AND %(email_key)s::text <> email_key")
_EMAIL = SQL("""email = CASE WHEN {0} THEN email ELSE %(email)s END,
    email_key = CASE WHEN {0} THEN email_key ELSE %(email_key)s END,
    new_email = CASE WHEN {0} THEN %(email)s END, new_email_key = CASE WHEN {0} THEN %(email_key)s END,
    email_refused_at = NULL""").format(_WAITS)
NOTE_OLD_ADDRESS = Statement("""-- note_old_address
INSERT INTO mail_addresses (user_id, email, email_key) VALUES (%(user_id)s, %(email)s, %(email_key)s) RETURNING id
""")
SET_PASSWORD = Statement("""-- set_password
UPDATE users
SET password_hash = %(password_hash)s, password_changed_at = clock_timestamp(), new_email = NULL, new_email_key = NULL
WHERE id = %(user_id)s AND password_changed_at = %(password_changed_at)s AND deleted_at IS NULL RETURNING id
""")
DROP_RESETS = Statement("""-- drop_reset_tokens
DELETE FROM mail_tokens WHERE user_id = %(user_id)s AND purpose = 'reset_password'
""")
END_OTHERS = Statement("""-- end_sessions_of_old_password
UPDATE sessions SET ended_at = now() WHERE user_id = %(user_id)s AND id <> %(session_id)s AND ended_at IS NULL
""")
# The trigger users_forget_verification erases what belongs to the address.
ERASE = Statement("""-- erase_user
UPDATE users
SET deleted_at = now(), username = NULL, password_hash = NULL, name = NULL, email = NULL, email_key = NULL,
    phone = NULL, shipping_address = NULL, roles = '{}', totp_secret = NULL, totp_since = NULL, totp_offered = NULL
WHERE id = %(user_id)s AND password_changed_at = %(password_changed_at)s AND deleted_at IS NULL
RETURNING id, old.email_key
""")
ERASE_TOKENS = Statement("""-- erase_mail_tokens
DELETE FROM mail_tokens WHERE user_id = %(user_id)s
""")
ERASE_ADDRESSES = Statement("""-- erase_mail_addresses
DELETE FROM mail_addresses WHERE user_id = %(user_id)s OR email_key = %(email_key)s
""")
ERASE_PASSKEYS = Statement("""-- erase_passkeys
DELETE FROM passkeys WHERE user_id = %(user_id)s
""")
ERASE_RECOVERY_CODES = Statement("""-- erase_recovery_codes
DELETE FROM recovery_codes WHERE user_id = %(user_id)s
""")
END_ALL = Statement("""-- end_all_sessions
UPDATE sessions SET ended_at = coalesce(ended_at, now()), user_agent = NULL WHERE user_id = %(user_id)s
""")


def change_profile(db: Database, *, caller: Caller, changes: dict[str, Any]) -> dict[str, Any]:
    """Change these members of the caller's profile; return the whole profile."""
    if "email" in changes:
        changes = {**changes, "email_key": email_key(changes["email"])}
    if phone := changes.get("phone"):
        country = None if has_country_code(phone) else _country(db, caller, changes)
        changes = {**changes, "phone": international_phone(phone, country)}
    parameters = {**changes, **caller._asdict()}
    if "email" in changes:
        with db.transaction("change_email") as connection:
            row = connection.fetch_one(_changing(changes), parameters)
            _send_mails(connection, row)
    else:
        row = db.fetch_one(_changing(changes), parameters)
    if row is None:
        raise InvalidToken
    return queries.profile_of(row)


def _send_mails(connection: DeadlineConnection, changed: Row | None) -> None:
    """Have a new address confirmed, and a verified one told that it is to be replaced or was removed."""
    if changed is None:
        return
    if changed.was_verified and (changed.new_email or not changed.email):
        old = {"user_id": changed.id, "email": changed.old_email, "email_key": changed.old_email_key}
        noted = connection.fetch_one(NOTE_OLD_ADDRESS, old)
        defer(connection, "tell_old_address", {"address_id": noted.id})
    if changed.new_email or (changed.email and not changed.email_verified_at):
        defer(connection, "send_confirmation", {"user_id": changed.id})


def _country(db: Database, caller: Caller, changes: dict[str, Any]) -> str | None:
    """Return the country of the address that the profile will have."""
    if "shipping_address" not in changes:
        changes = queries.read_profile(db, caller=caller)
    address = changes["shipping_address"]
    return str(address["country"]) if address else None


def _changing(columns: Iterable[str]) -> Statement:
    assignments = [
        _EMAIL if name == "email" else SQL("{} = {}").format(Identifier(name), Placeholder(name))
        for name in columns
        if name != "email_key"
    ]
    return Statement(CHANGE.format(SQL(", ").join(assignments)).as_string())


def change_password(db: Database, passwords: Passwords, *, caller: Caller, current: str, new: str) -> None:
    """Set a new password, end the caller's other sessions, and give up a change of address that is not confirmed."""
    known = confirm(db, passwords, caller=caller, password=current)
    refuse_weak(new, username=known.username, email=known.email)
    password_hash = passwords.hash(new)
    with db.transaction("change_password") as connection:
        _claim(connection, SET_PASSWORD, caller, known, password_hash=password_hash)
        connection.execute(DROP_RESETS, {"user_id": caller.user_id})
        connection.execute(END_OTHERS, {"user_id": caller.user_id, "session_id": caller.session_id})
        defer(connection, "tell_new_password", {"user_id": caller.user_id})


def delete_account(db: Database, passwords: Passwords, *, caller: Caller, password: str) -> None:
    """Erase the caller's personal data and end all sessions; the username stays reserved."""
    known = confirm(db, passwords, caller=caller, password=password)
    with db.transaction("delete_account") as connection:
        erased = _claim(connection, ERASE, caller, known)
        connection.execute(ERASE_TOKENS, {"user_id": caller.user_id})
        connection.execute(ERASE_ADDRESSES, {"user_id": caller.user_id, "email_key": erased.email_key})
        connection.execute(ERASE_PASSKEYS, {"user_id": caller.user_id})
        connection.execute(ERASE_RECOVERY_CODES, {"user_id": caller.user_id})
        audit.erase(connection, [caller.user_id])
        connection.execute(END_ALL, {"user_id": caller.user_id})


def confirm(db: Database, passwords: Passwords, *, caller: Caller, password: str) -> Row:
    """Return the caller's credentials; raise WrongPassword."""
    known = queries.credentials(db, caller=caller)
    if not passwords.match(password, known.password_hash):
        raise WrongPassword
    return known


def _claim(connection: DeadlineConnection, statement: str, caller: Caller, known: Row, **values: str) -> Row:
    """Change the user's row before the sessions; raise InvalidToken when another session changed it first.

    A concurrent sign-in locks the same row: either its session is visible to the next statement, or it sees the change.
    """
    parameters = {"user_id": caller.user_id, "password_changed_at": known.password_changed_at, **values}
    row = connection.fetch_one(statement, parameters)
    if row is None:
        raise InvalidToken  # the password was changed or the account deleted meanwhile
    return row
