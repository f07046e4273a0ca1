"""Create accounts."""

from __future__ import annotations

from chassis.db.database import Database, Row, constraints
from chassis.db.statement import Statement
from chassis.jobs import defer
from user_service.accounts import rules
from user_service.accounts.passwords import Passwords

REGISTER = Statement("""-- register_user
INSERT INTO users (username, username_digest, password_hash, name, email, email_key)
VALUES (%(username)s, %(username_digest)s, %(password_hash)s, %(name)s, %(email)s, %(email_key)s)
RETURNING id, username, name, email
""")


def register(
    db: Database, passwords: Passwords, *, username: str, password: str, name: str | None, email: str | None
) -> Row:
    """Create an account; raise UsernameTaken or WeakPassword.

    Nobody is told whether others have the address: its mailbox is asked to confirm it.
    """
    rules.refuse_weak(password, username=username, email=email)
    account = {
        "username": username,
        "username_digest": rules.username_digest(username),
        "password_hash": passwords.hash(password),
        "name": name,
        "email": email,
        "email_key": rules.email_key(email),
    }
    with constraints(rules.TAKEN), db.transaction("register") as connection:
        row = connection.fetch_one(REGISTER, account)
        if email:
            defer(connection, "send_confirmation", {"user_id": row.id})
    return row
