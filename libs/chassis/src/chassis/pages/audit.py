"""The page that lists what staff changed, in the back office of each service."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from flask import Response, request
from pydantic import Field

from chassis.db.database import Database
from chassis.http.api import Query
from chassis.http.audit import AuditQuery, read_audit
from chassis.pages.formatting import day_begins
from chassis.pages.responses import page
from chassis.pages.urls import with_parameters

PAGE_SIZE = 50
_FILTERS = ("action", "subject", "staff")
_Day = Annotated[datetime.date, Field(ge=datetime.date(2000, 1, 1), le=datetime.date(2999, 12, 31))]
_A_DAY = datetime.timedelta(days=1)


class Days(Query):
    """The first and the last day of the entries to list."""

    since: _Day | None = None
    until: _Day | None = None


def audit_page(
    db: Database,
    *,
    actions: Mapping[str, str],
    subject_url: Callable[[Mapping[str, Any]], str | None],
    shown: Callable[[Mapping[str, Any] | None], Mapping[str, Any]] = lambda values: values or {},
) -> Response:
    """Return one page of the service's audit entries; `actions` names each in words, `shown` makes values readable."""
    given = {name: text for name in (*_FILTERS, "since", "until") if (text := request.args.get(name, "").strip())}
    entries, next_cursor = read_audit(db, _query(given))
    return page(
        "pages/audit.html",
        entries=[
            {
                **entry,
                "changes": [*changes(shown(entry["before"]), shown(entry["after"]))],
                "subject_url": subject_url(entry),
            }
            for entry in entries
        ],
        actions=actions,
        given=given,
        continued="after" in request.args,
        url=lambda **changed: _url({**given, **changed}),
        next_url=next_cursor and _url({**given, "after": next_cursor}),
    )


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield each member that differs, with its values before and after; of what is new only what is not empty."""
    for name in {**after, **before}:
        old, new = before.get(name), after.get(name)
        if old != new and (old or new or before):
            yield name, old, new


def _query(given: Mapping[str, str]) -> AuditQuery:
    days = Days.model_validate({name: given[name] for name in Days.model_fields if name in given})
    asked: dict[str, Any] = {name: given[name] for name in _FILTERS if name in given}
    if days.since:
        asked["since"] = day_begins(days.since)
    if days.until:
        asked["until"] = day_begins(days.until + _A_DAY)
    return AuditQuery.model_validate({**asked, "limit": PAGE_SIZE, "after": request.args.get("after") or None})


def _url(parameters: Mapping[str, str | None]) -> str:
    return with_parameters(request.path, parameters)
