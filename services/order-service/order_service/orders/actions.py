"""Place and cancel orders with one atomic statement each."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, NoReturn

import orjson
from psycopg.errors import LockNotAvailable

from chassis.context import Caller
from chassis.db.database import Database, Row
from chassis.db.statement import Statement
from chassis.problems import InvalidToken, NotFound, Problem, Unavailable
from order_service.checkout import actions as checkout
from order_service.orders import cancel_statements, metrics, rules, statements, states
from order_service.orders.queries import order_key
from order_service.orders.terms import Terms


class NewOrder(NamedTuple):
    """What the buyer says beside the products; `expected_total` in the currency's units."""

    ship_to: dict[str, Any] | None = None
    email: str | None = None
    shipping_method: str | None = None
    expected_total: float | None = None

    def fingerprint(self, basket: dict[str, int]) -> bytes:
        """Return what tells this request from others; of a first version's request it is as it always was."""
        request = [list(basket.items()), self.ship_to]
        further = [self.email, self.shipping_method, self.expected_total]
        return hashlib.sha256(orjson.dumps(request if further == [None] * 3 else [*request, *further])).digest()


ITEMS_ALONE = NewOrder()


class Placed(NamedTuple):
    order_id: str
    receipt: str
    replayed: bool


def place_order(
    db: Database, *, buyer: Caller, basket: dict[str, int], order: NewOrder, terms: Terms, idempotency_key: str | None
) -> Placed:
    """Reduce the stock and create the order, or return the earlier result of this idempotency key.

    Raises a Problem of `rules`, or InvalidToken if the buyer's account was deleted; then nothing has changed.
    """
    try:
        placed = _place_order(db, buyer=buyer, basket=basket, order=order, terms=terms, idempotency_key=idempotency_key)
    except Problem as refusal:
        metrics.count_refused(refusal.code)
        raise
    if not placed.replayed:
        metrics.count_placed(placed.receipt)
    return placed


def _place_order(
    db: Database, *, buyer: Caller, basket: dict[str, int], order: NewOrder, terms: Terms, idempotency_key: str | None
) -> Placed:
    parameters: dict[str, Any] = {
        "product_ids": list(basket),
        "quantities": list(basket.values()),
        "buyer_id": buyer.user_id,
        "buyer_name": buyer.username,
        "ship_to": None,
        "key": idempotency_key,
        "fingerprint": order.fingerprint(basket) if idempotency_key else None,
    }
    statement = statements.PLACE
    if order != ITEMS_ALONE or terms.payment_minutes is not None:
        parameters, statement = {**parameters, **_priced(order, terms)}, statements.PLACE_PRICED
    row = _place(db, statement, parameters)
    if row.erased:
        raise InvalidToken
    if row.order_id is None and idempotency_key:
        row = _earlier(db, parameters) or row  # another request with this key was faster
    if row.order_id is None:
        _refuse(db, basket, parameters, row)
    if row.fingerprint not in (None, parameters["fingerprint"]):
        raise rules.KeyReused
    return Placed(row.order_id, row.receipt, replayed=row.fingerprint is not None)


def _earlier(db: Database, parameters: dict[str, Any]) -> Row | None:
    return db.fetch_one(statements.EARLIER, parameters)


def _refuse(db: Database, basket: dict[str, int], parameters: dict[str, Any], row: Row) -> NoReturn:
    """Raise the Problem that prevented the order."""
    rules.refuse(basket, {key: rules.OnShelf(*found) for key, found in (row.shelf or {}).items()})
    if row.offer:
        rules.refuse_terms(row.offer)
        if not row.offer["as_expected"]:
            wanted = {name: parameters[name] for name in ("country", "shipping_method", "prices_include_tax")}
            raise rules.PriceChanged(quote=orjson.loads(checkout.quote(db, basket=basket, **wanted)))
    raise Unavailable  # the basket is valid: the order with this key was erased meanwhile


def _priced(order: NewOrder, terms: Terms) -> dict[str, Any]:
    return {
        **order._asdict(),
        **terms._asdict(),
        "ship_to": orjson.dumps(order.ship_to).decode() if order.ship_to else None,
        "country": order.ship_to["country"] if order.ship_to else None,
    }


def _place(db: Database, statement: Statement, parameters: dict[str, Any]) -> Row:
    try:
        products, rank = frozenset(parameters["product_ids"]), (parameters["buyer_id"], parameters["key"] or "")
        row = db.fetch_one_batched(products, statement, parameters, rank=rank)
    except LockNotAvailable as failure:
        if parameters["key"]:
            raise rules.StillInFlight from failure
        raise
    assert row is not None  # noqa: S101 - the statement selects exactly one row
    return row


def cancel_order(db: Database, *, buyer_id: str, order_id: str) -> str:
    """Cancel the caller's order and restore its stock; return its document."""
    order = {"id": order_key(order_id), "buyer_id": buyer_id, **states.accepted("cancel")}
    row = db.fetch_one(cancel_statements.CANCEL, order)
    if row is None:
        raise NotFound
    if row.document is None:
        error = f"the order is {row.status} already"
        raise rules.NotCancellable(error, status_of_order=row.status, payment_status=row.payment_status)
    metrics.CANCELLED.inc()
    return str(row.document)
