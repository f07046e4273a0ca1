"""The list of what staff changed, as a route of every service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from chassis.db import audit
from chassis.db.database import Database
from chassis.http.api import PageQuery, line
from chassis.http.pagination import BadCursor, decode_cursor, encode_cursor
from chassis.http.responses import JsonResponse, json_response

Filter = Annotated[str, line(200, 1)]


class AuditQuery(PageQuery):
    staff: Filter | None = Field(default=None, description="The id of who made the change.")
    action: Filter | None = Field(default=None, description="Such as `customer.disable`.")
    subject: Filter | None = Field(default=None, description="The id of what was changed.")
    since: AwareDatetime | None = Field(default=None, description="With a time zone, such as `2026-11-27T08:00:00Z`.")
    until: AwareDatetime | None = Field(default=None, description="The first moment that is not listed any more.")


class AuditEntryOut(BaseModel):
    id: str
    at: datetime
    staff_id: str | None = Field(description="Null: changed by a command on the machine.")
    staff_name: str | None = Field(description="Also null when that account was deleted.")
    action: str
    subject: str
    before: dict[str, Any] | None = Field(description="Null also when the customer's account was deleted.")
    after: dict[str, Any] | None


class AuditOut(RootModel[list[AuditEntryOut]]):
    pass


def list_audit(db: Database, query: AuditQuery) -> JsonResponse:
    """Return one page of the service's audit entries, newest first."""
    entries, next_cursor = read_audit(db, query)
    response = json_response(entries)
    response.next_cursor = next_cursor
    return response


def read_audit(db: Database, query: AuditQuery) -> tuple[list[dict[str, Any]], str | None]:
    """Return the entries of one page and the cursor of the next, None on the last."""
    filters = query.model_dump(exclude={"limit", "after"})
    before = None if query.after is None else _entry_id(query.after)
    entries, following = audit.list_entries(db, filters=filters, limit=query.limit, before=before)
    return entries, encode_cursor(following.hex) if following else None


def _entry_id(cursor: str) -> UUID:
    try:
        return UUID(*decode_cursor(cursor, str))
    except ValueError as failure:
        raise BadCursor from failure
