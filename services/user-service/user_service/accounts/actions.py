"""Create accounts."""

from __future__ import annotations

from chassis.db.database import Database, Row, constraints
from chassis.db.statement import Statement
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
    """Create an account; raise UsernameTaken, EmailTaken or WeakPassword."""
    rules.refuse_weak(password, username=username, email=email)
    account = {
        "username": username,
        "username_digest": rules.username_digest(username),
        "password_hash": passwords.hash(password),
        "name": name,
        "email": email,
        "email_key": rules.email_key(email),
    }
    with constraints(rules.TAKEN):
        row = db.fetch_one(REGISTER, account)
    assert row is not None  # noqa: S101 - an INSERT returns its row, or raises
    return row
