"""Change a customer's account as staff; each change leaves an audit entry in its transaction."""

from __future__ import annotations

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database, DeadlineConnection, Row
from chassis.db.statement import Statement
from chassis.jobs import defer
from chassis.problems import NotFound
from user_service.customers.rules import IsDisabled, IsStaff, NoAddress
from user_service.second_factor import actions as second_factor
from user_service.sessions.actions import end_sessions

# The row is locked before anything else: a sign-in at the same time either sees the change or has opened its session,
# which the next statement sees.
LOCK = "SELECT id, roles, email, disabled_at FROM users WHERE id = %(customer_id)s AND deleted_at IS NULL FOR UPDATE"
DISABLE = Statement("""-- disable_account
UPDATE users SET disabled_at = now() WHERE id = %(customer_id)s
""")
ENABLE = Statement("""-- enable_account
UPDATE users SET disabled_at = NULL WHERE id = %(customer_id)s
""")
END_ONE = Statement("""-- end_session_of_customer
UPDATE sessions SET ended_at = now()
WHERE id = %(session_id)s AND user_id = %(customer_id)s AND ended_at IS NULL RETURNING id
""")


def disable(db: Database, *, staff: Caller, customer_id: str) -> None:
    """End a customer's sessions and refuse further sign-ins; raise NotFound or IsStaff."""
    with db.transaction("disable_account") as connection:
        if _lock(connection, customer_id, may_be_staff=False).disabled_at:
            return
        connection.execute(DISABLE, {"customer_id": customer_id})
        ended = end_sessions(connection, customer_id)
        after = {"disabled": True, "sessions_ended": ended}
        audit.note(connection, staff, "customer.disable", customer_id, before={"disabled": False}, after=after)


def enable(db: Database, *, staff: Caller, customer_id: str) -> None:
    """Let a disabled customer sign in again; raise NotFound or IsStaff."""
    with db.transaction("enable_account") as connection:
        if _lock(connection, customer_id, may_be_staff=False).disabled_at is None:
            return
        connection.execute(ENABLE, {"customer_id": customer_id})
        before, after = {"disabled": True}, {"disabled": False}
        audit.note(connection, staff, "customer.enable", customer_id, before=before, after=after)


def end_session(db: Database, *, staff: Caller, customer_id: str, session_id: str) -> None:
    """End one session of a customer; raise NotFound."""
    with db.transaction("end_session_of_customer") as connection:
        _lock(connection, customer_id)
        if connection.fetch_one(END_ONE, {"customer_id": customer_id, "session_id": session_id}) is None:
            raise NotFound
        audit.note(connection, staff, "customer.end_session", customer_id, after={"session": session_id})


def end_all_sessions(db: Database, *, staff: Caller, customer_id: str) -> None:
    """End all sessions of a customer; raise NotFound."""
    with db.transaction("end_sessions_of_customer") as connection:
        _lock(connection, customer_id)
        if ended := end_sessions(connection, customer_id):
            audit.note(connection, staff, "customer.end_sessions", customer_id, after={"sessions_ended": ended})


def reset_second_factor(db: Database, *, staff: Caller, customer_id: str) -> None:
    """Switch off the second factor of a customer who lost it, and end all sessions; raise NotFound or IsStaff."""
    with db.transaction("reset_second_factor_of_customer") as connection:
        _lock(connection, customer_id, may_be_staff=False)
        if second_factor.forget(connection, customer_id):
            ended = end_sessions(connection, customer_id)
            audit.note(connection, staff, "customer.reset_second_factor", customer_id, after={"sessions_ended": ended})


def send_reset_mail(db: Database, *, staff: Caller, customer_id: str) -> None:
    """Have a mail sent with which the customer sets a new password; raise NotFound, NoAddress or IsDisabled."""
    with db.transaction("send_reset_mail") as connection:
        customer = _lock(connection, customer_id)
        if customer.disabled_at:
            raise IsDisabled
        if customer.email is None:
            raise NoAddress
        defer(connection, "send_reset", {"user_id": customer_id})
        audit.note(connection, staff, "customer.send_reset_mail", customer_id)


def _lock(connection: DeadlineConnection, customer_id: str, *, may_be_staff: bool = True) -> Row:
    """Lock and return the customer's row; raise NotFound, or IsStaff for what staff must not do to each other."""
    row = connection.fetch_one(LOCK, {"customer_id": customer_id})
    if row is None:
        raise NotFound
    if row.roles and not may_be_staff:
        raise IsStaff
    return row
