"""Place and cancel orders with one atomic statement each."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import orjson
from psycopg.errors import LockNotAvailable

from chassis.context import Caller
from chassis.db.database import Database, Row
from chassis.problems import InvalidToken, NotFound, Unavailable
from order_service.orders import rules, statements
from order_service.orders.queries import order_key


class Placed(NamedTuple):
    order_id: str
    receipt: str
    replayed: bool


def place_order(
    db: Database, *, buyer: Caller, basket: dict[str, int], ship_to: dict[str, Any] | None, idempotency_key: str | None
) -> Placed:
    """Reduce the stock and create the order, or return the earlier result of this idempotency key.

    Raises a Problem of `rules`, or InvalidToken if the buyer's account was deleted; then nothing has changed.
    """
    request = orjson.dumps([list(basket.items()), ship_to])
    parameters: dict[str, Any] = {
        "product_ids": list(basket),
        "quantities": list(basket.values()),
        "buyer_id": buyer.user_id,
        "buyer_name": buyer.username,
        "ship_to": orjson.dumps(ship_to).decode() if ship_to else None,
        "key": idempotency_key,
        "fingerprint": hashlib.sha256(request).digest() if idempotency_key else None,
    }
    row = _place(db, parameters)
    if row.erased:
        raise InvalidToken
    if row.order_id is None and idempotency_key:
        row = db.fetch_one(statements.EARLIER, parameters) or row  # another request with this key was faster
    if row.order_id is None:
        rules.refuse(basket, {key: rules.OnShelf(*found) for key, found in (row.shelf or {}).items()})
        raise Unavailable  # the basket is valid: the order with this key was erased meanwhile
    if row.fingerprint not in (None, parameters["fingerprint"]):
        raise rules.KeyReused
    return Placed(row.order_id, row.receipt, replayed=row.fingerprint is not None)


def _place(db: Database, parameters: dict[str, Any]) -> Row:
    try:
        products, rank = frozenset(parameters["product_ids"]), (parameters["buyer_id"], parameters["key"] or "")
        row = db.fetch_one_batched(products, statements.PLACE, parameters, rank=rank)
    except LockNotAvailable as failure:
        if parameters["key"]:
            raise rules.StillInFlight from failure
        raise
    assert row is not None  # noqa: S101 - the statement selects exactly one row
    return row


def cancel_order(db: Database, *, buyer_id: str, order_id: str) -> str:
    """Cancel the caller's order and restore its stock; return its document."""
    order = {"id": order_key(order_id), "buyer_id": buyer_id, "cancellable": list(rules.CANCELLABLE)}
    row = db.fetch_one(statements.CANCEL, order)
    if row is None:
        raise NotFound
    if row.document is None:
        raise rules.NotCancellable(f"the order is {row.status} already", status_of_order=row.status)
    return str(row.document)
