"""Note who of the staff changed what, in the statement or transaction that changes it; read the entries.

Each service has its own table `audit_entries`. The subject of an entry about a customer is the customer's id, by
which the entry is erased with the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from chassis.context import Caller
from chassis.db.database import Database, DeadlineConnection
from chassis.db.statement import Statement

INSERT = """
    INSERT INTO audit_entries (staff_id, staff_name, action, subject, before, after)
    SELECT %(staff_id)s, %(staff_name)s,
"""
"""Beginning of a CTE of the statement that changes something, with the parameters of `by`:

`audited AS ({INSERT} 'product.change', id, before, after FROM changed)`
"""
NOTE = Statement(f"""-- note_audit_entry
{INSERT} %(action)s, %(subject)s, CAST(%(before)s AS jsonb), CAST(%(after)s AS jsonb)
""")
ERASE = Statement("""-- erase_audit_entries
UPDATE audit_entries
SET before = CASE WHEN subject = ANY (CAST(%(user_ids)s AS text[])) THEN NULL ELSE before END,
    after = CASE WHEN subject = ANY (CAST(%(user_ids)s AS text[])) THEN NULL ELSE after END,
    staff_name = CASE WHEN staff_id = ANY (CAST(%(user_ids)s AS text[])) THEN NULL ELSE staff_name END
WHERE subject = ANY (CAST(%(user_ids)s AS text[])) OR staff_id = ANY (CAST(%(user_ids)s AS text[]))
""")
LIST = """
SELECT id, at, staff_id, staff_name, action, subject, before, after FROM audit_entries
WHERE {conditions} ORDER BY id DESC LIMIT %(limit)s
"""
FILTERS = {
    "staff": "staff_id = %(staff)s",
    "action": "action = %(action)s",
    "subject": "subject = %(subject)s",
    "since": "at >= %(since)s",
    "until": "at < %(until)s",
    "before": "id < %(before)s",
}


def by(staff: Caller | None) -> dict[str, str | None]:
    """Return the parameters that name who makes a change; None is a command on the machine."""
    return {"staff_id": staff and staff.user_id, "staff_name": staff and staff.username}


def note(
    connection: DeadlineConnection,
    staff: Caller | None,
    action: str,
    subject: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add an entry in the transaction that makes the change."""
    entry = {**by(staff), "action": action, "subject": subject, "before": before, "after": after}
    connection.execute(NOTE, entry)


def erase(connection: DeadlineConnection, user_ids: list[str]) -> None:
    """Erase the personal data of these users: of customers the values, of staff the name."""
    connection.execute(ERASE, {"user_ids": user_ids})


def list_entries(
    db: Database, *, filters: Mapping[str, Any], limit: int, before: UUID | None
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Return the newest entries that pass the FILTERS, and the id after which the next page begins, None on the last.

    Entries are in the order of their ids, which begin with the time.
    """
    given = {name: value for name, value in {**filters, "before": before}.items() if value is not None}
    conditions = " AND ".join(FILTERS[name] for name in given) or "true"
    rows = db.fetch_all(LIST.format(conditions=conditions), {**given, "limit": limit + 1})
    return [row._asdict() for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None
