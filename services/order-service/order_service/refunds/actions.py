"""Request refunds: the job `refund_payment` then asks the provider to return the money."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database, DeadlineConnection, constraints
from chassis.problems import NotFound
from order_service.orders import states
from order_service.orders.queries import order_key
from order_service.orders.sold import SHIPPING
from order_service.refunds import rules, statements

_LAST_WORD = {
    "orders_refunded_at_most_what_was_paid": rules.RefundTooLarge,
    "order_lines_refunded_at_most_what_was_sold": rules.TooManyUnits,
}


_REFUND_ID = re.compile(r"r-([0-9a-f]{32})")


def refund_key(refund_id: str) -> UUID:
    """Return the UUID of a public refund id; raise NotFound for malformed ids."""
    match = _REFUND_ID.fullmatch(refund_id)
    if match is None:
        raise NotFound
    return UUID(match[1])


class Wanted(NamedTuple):
    """What staff want to refund: units of lines, named by number or product, and the shipping; or an amount."""

    lines: Sequence[tuple[int | str, int]] | None
    shipping: bool
    amount: float | None
    restock: bool
    reason: str

    def fingerprint(self) -> bytes:
        return hashlib.sha256(orjson.dumps([*self])).digest()


class Priced(NamedTuple):
    """What a refund would return, in the currency's smallest unit."""

    minor: int
    currency: str


def price_refund(db: Database, *, order_id: str, wanted: Wanted) -> Priced:
    """Return what a refund would return; raise the Problem that would refuse it."""
    key = {"id": order_key(order_id)}
    with db.transaction("price_refund") as connection:
        row = connection.fetch_one(statements.SOLD, key)
        if row is None:
            raise NotFound
        sold = rules.Sold(*row)
        return Priced(_priced(connection, sold, wanted, key).amount, sold.currency)


def request_refund(
    db: Database,
    *,
    staff: Caller,
    order_id: str,
    wanted: Wanted,
    idempotency_key: str,
    expected: int | None = None,
) -> str:
    """Note a refund and let a job return the money, or return the earlier answer of this key.

    Raises a Problem of `rules`; then nothing has changed. `expected` is the amount that was confirmed, in the
    currency's smallest unit: another one is refused as AmountChanged.
    """
    key = {"id": order_key(order_id), "key": idempotency_key}
    with constraints(_LAST_WORD), db.transaction("request_refund") as connection:
        if connection.fetch_one(statements.LOCK, key) is None:
            raise NotFound
        earlier = connection.fetch_one(statements.EARLIER, key)
        if earlier and earlier.fingerprint != wanted.fingerprint():
            raise rules.KeyReused
        if earlier:
            return str(earlier.document)
        sold = rules.Sold(*connection.fetch_one(statements.SOLD, key))
        refund = _priced(connection, sold, wanted, key)
        if expected not in {None, refund.amount}:
            raise rules.AmountChanged
        row = connection.fetch_one(statements.REQUEST, {**key, **_written(refund, wanted), **audit.by(staff)})
        if row is None:
            raise rules.refuse_state(sold.status, sold.payment_status)
    return str(row.document)


def retry_refund(db: Database, *, staff: Caller, order_id: str, refund_id: str) -> str:
    """Try again to return a payment that was not accepted, after the refund of it failed; return the new refund.

    A repeated request returns the same one. Raises NotFound or NotRetriable; then nothing has changed.
    """
    key = {"id": order_key(order_id), "refund_id": refund_key(refund_id)}
    with db.transaction("retry_refund") as connection:
        connection.fetch_one(statements.LOCK, key)
        row = connection.fetch_one(statements.RETRY, {**key, **audit.by(staff)})
        found = None if row else connection.fetch_one(statements.FIND, key)
    if row:
        return str(row.document)
    if found is None:
        raise NotFound
    if found.later is None:
        raise rules.refuse_retry(found.status)
    return str(found.later)


def _priced(connection: DeadlineConnection, sold: rules.Sold, wanted: Wanted, key: dict[str, Any]) -> rules.Refund:
    if not states.ACTIONS["refund"].accepts(sold.status, sold.payment_status):
        raise rules.refuse_state(sold.status, sold.payment_status)
    if wanted.amount is not None:
        return rules.by_amount(sold, wanted.amount)
    lines = [rules.Line(*row) for row in connection.execute(statements.LINES, key).fetchall()]
    return rules.by_lines(sold, lines, wanted.lines or (), shipping=wanted.shipping)


def _written(refund: rules.Refund, wanted: Wanted) -> dict[str, Any]:
    units = refund.units or {}
    shown = [{"line": line, "qty": qty} for line, qty in sorted(units.items())]
    lines = {line: qty for line, qty in units.items() if line != SHIPPING}
    return {
        "amount": refund.amount,
        "shown": None if refund.units is None else orjson.dumps(shown).decode(),
        "lines": list(lines),
        "units": list(lines.values()),
        "restock": wanted.restock,
        "reason": wanted.reason,
        "fingerprint": wanted.fingerprint(),
    }
