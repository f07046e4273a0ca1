"""Write orders as a CSV file for the accountant, one line per order, oldest first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chassis.db.database import Database, Row
from order_service import money
from order_service.fulfilment import queries
from order_service.fulfilment.rules import ExportTooLarge

MOST_ORDERS = 200_000
"""Of one file, which is some 30 MB of memory."""
_STEP = 2000
_BEFORE = (
    "number", "order_id", "placed_at", "status", "payment_status", "country", "currency", "goods", "shipping",
    "tax_included", "tax",
)  # fmt: skip
_AFTER = ("total", "paid", "refunded")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(db: Database, *, since: datetime | None, until: datetime | None) -> Iterator[str]:
    """Yield the file of the orders placed in this time in parts; raise ExportTooLarge before the first one."""
    asked = {name: moment for name, moment in (("since", since), ("until", until)) if moment}
    where = " AND ".join(queries.FILTERS[name] for name in asked) or "true"
    parameters: dict[str, Any] = {**asked, **queries.id_bounds(since, until), "most": MOST_ORDERS + 1}
    if db.fetch_one(queries.COUNT.format(where=where), parameters).orders > MOST_ORDERS:
        raise ExportTooLarge(f"more than {MOST_ORDERS} orders: choose a shorter time by `since` and `until`")
    rates = [row.rate for row in db.fetch_all(queries.RATES.format(where=where), parameters)]
    return _parts(db, queries.EXPORTED.format(where=where), parameters, rates)


def _parts(db: Database, page: str, parameters: dict[str, Any], rates: Sequence[Decimal]) -> Iterator[str]:
    by_rate = [f"{what} {rate.normalize():f} %" for rate in rates for what in ("net", "tax")]
    yield _lines([(*_BEFORE, *by_rate, *_AFTER)])
    following = {**parameters, "after": "00000000-0000-0000-0000-000000000000", "step": _STEP}
    while rows := db.fetch_all(page, following):
        yield _lines([_cells(row, rates) for row in rows])
        following["after"] = rows[-1].id


def _cells(row: Row, rates: Sequence[Decimal]) -> list[Any]:
    def amount(minor: int) -> Decimal:
        return money.amount(minor, row.currency)

    taxes = {Decimal(str(tax["rate"])): (tax["net_minor"], tax["tax_minor"]) for tax in row.tax or ()}
    by_rate = [amount(minor) if rate in taxes else "" for rate in rates for minor in taxes.get(rate, (0, 0))]
    added = 0 if row.prices_include_tax else row.tax_minor
    return [
        *map(_defused, (row.number, row.order_id, row.placed_at.isoformat(timespec="seconds"))),
        *map(_defused, (row.status, row.payment_status, row.country or "", row.currency)),
        *(amount(row.total_minor - row.shipping_minor - added), amount(row.shipping_minor)),
        *("yes" if row.prices_include_tax else "no", amount(row.tax_minor), *by_rate),
        *(amount(row.total_minor), amount(row.paid_minor), amount(row.refunded_minor)),
    ]


def _defused(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
