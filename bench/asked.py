"""What the services ask of their databases, as their own functions say it: statements and parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from chassis.context import Caller
from chassis.db.database import Database
from order_service.catalog import queries as catalog
from order_service.orders import actions
from order_service.orders import queries as orders
from user_service.profile import queries as profile

PAGE = 20
NO_TAG = '"none"'  # the ETag of no answer
ANY_KEY = "the idempotency key"


class Asked(Exception):
    """A statement, as psycopg takes it, and its parameters."""

    def __init__(self, statement: str, parameters: Mapping[str, Any]) -> None:
        super().__init__(statement)
        self.statement, self.parameters = statement, parameters


class _Listener:
    """Stands in for a database, and tells what it was asked instead of answering."""

    def __getattr__(self, _: str) -> Callable[..., NoReturn]:
        def tell(*asked: Any) -> NoReturn:
            raise Asked(*asked[-2:])  # what comes before says only with whom to wait

        return tell


def _asked(query: Callable[..., object], **arguments: Any) -> Asked:
    try:
        query(cast(Database, _Listener()), **arguments)
    except Asked as question:
        return question
    raise AssertionError(f"{query} asks nothing")


def product(product_id: str) -> Asked:
    return _asked(catalog.get_product, product_id=product_id)


def own_profile(caller: Caller) -> Asked:
    return _asked(profile.read_profile, caller=caller)


def order(order_id: str, reader: Caller) -> Asked:
    return _asked(orders.get_order, buyer_id=reader.user_id, order_id=order_id)


def own_orders(reader: Caller) -> Asked:
    return _asked(orders.list_orders, buyer_id=reader.user_id, status=None, limit=PAGE, after=None)


def placing(buyer: Caller, product_ids: list[str]) -> Asked:
    """Return an order of one of each product; name_of_key() tells which parameter is the idempotency key."""
    basket = dict.fromkeys(product_ids, 1)
    return _asked(actions.place_order, buyer=buyer, basket=basket, ship_to=None, idempotency_key=ANY_KEY)


def name_of_key(question: Asked) -> str:
    return next(name for name, value in question.parameters.items() if value == ANY_KEY)
