"""Read what staff look for in the list of orders; its days are days of UTC."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from chassis.db.database import Database
from chassis.http.api import line
from chassis.pages.audit import Days
from order_service.fulfilment import numbers, queries
from order_service.orders.states import OrderStatus, PaymentStatus

ORDER_ID = re.compile(r"o-[0-9a-f]{32}")
VIEWS = {
    "": "All",
    "to-ship": "To ship",
    "unpaid": "Unpaid",
    "refund-failed": "Refund failed",
    "mail-refused": "Mail refused",
}
_LONGEST_NAME = 200
_A_DAY = dt.timedelta(days=1)


class OrderSearch(Days):
    """The parameters of the page; `q` is a number, an email address or the beginning of a recipient's name."""

    q: Annotated[str, line(254)] | None = None
    view: Literal["to-ship", "unpaid", "refund-failed", "mail-refused"] | None = None
    status: OrderStatus | None = None
    payment: PaymentStatus | None = None
    user_id: Annotated[str, line(200)] | None = None
    after: str | None = None


def find(db: Database, asked: OrderSearch, limit: int) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page, newest first, and the cursor of the next page, None on the last."""
    documents: Sequence[str] = []
    following = None
    for reading in _readings(asked.q):
        filters = {**_filters(asked), **reading}
        documents, following = queries.list_orders(db, filters=filters, limit=limit, after=asked.after)
        if documents:
            break
    return documents, following


def days(asked: Days) -> dict[str, dt.datetime | None]:
    """Return the first moment of the first day, and the first one after the last day."""
    return {
        "since": _begins(asked.since) if asked.since else None,
        "until": _begins(asked.until + _A_DAY) if asked.until else None,
    }


def _begins(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _filters(asked: OrderSearch) -> dict[str, Any]:
    filters = {"status": asked.status, "payment": asked.payment, "user_id": asked.user_id, **days(asked)}
    return filters | ({asked.view.replace("-", "_"): True} if asked.view else {})


def _readings(text: str | None) -> Iterator[dict[str, str]]:
    """Yield what a text can mean; some names, such as Anna Karenina, could also be a number."""
    if not text:
        yield {}
    elif "@" in text:
        yield {"email": text}
    else:
        if numbers.read(text):
            yield {"number": text}
        yield {"name": text[:_LONGEST_NAME]}
