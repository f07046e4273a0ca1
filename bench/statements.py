"""Record the statement that a service runs for a request by calling the service's function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn, cast

from psycopg.sql import Composed

from chassis.auth.tokens import DemoTokens
from chassis.context import Caller
from chassis.db.database import Database
from chassis.settings import LOCAL_SECRET
from order_service.catalog import queries as catalog
from order_service.orders import actions as placing
from order_service.orders import queries as orders
from order_service.orders.terms import Terms
from user_service.profile import actions as changing
from user_service.profile import queries as profile
from user_service.sessions import queries as sessions

ANY_KEY = "an idempotency key"
NOBODY = Caller("", "", "")
NO_PAYMENT = Terms(prices_include_tax=True, payment_minutes=None, most_unpaid_orders=1, most_unpaid_units=1)
TOKENS = DemoTokens((LOCAL_SECRET,), 900)
_BEARER = re.compile(r"Authorization: Bearer (\S+)")


class Statement(NamedTuple):
    """A statement and its parameters; `key` is the name of the parameter for a new idempotency key."""

    sql: str
    parameters: Mapping[str, Any]
    key: str = ""


class Request(NamedTuple):
    """The data of a request on which its statement depends."""

    id: str
    caller: Caller
    body: Any


class _Recorded(Exception):
    pass


class _Recorder:
    """A fake database whose methods raise the statement and the parameters of the call."""

    def __getattr__(self, _: str) -> Callable[..., NoReturn]:
        def record(*arguments: Any, **_: Any) -> NoReturn:
            raise _Recorded(*arguments[-2:])  # a batched call has the key as its first argument

        return record


def recorded(function: Callable[..., object], **arguments: Any) -> Statement:
    """Return the first statement that a function runs."""
    try:
        function(cast(Database, _Recorder()), **arguments)
    except _Recorded as record:
        statement, parameters = record.args
        sql = statement.as_string() if isinstance(statement, Composed) else statement
        keys = [name for name, value in parameters.items() if value == ANY_KEY]
        return Statement(sql, parameters, *keys)
    raise AssertionError(f"{function} runs no statement")


# By load. The product list is served from the response cache.
OF: dict[str, Callable[[Request], Statement]] = {
    "GET /products/<id>": lambda r: recorded(catalog.get_product, product_id=r.id),
    "GET /profile": lambda r: recorded(profile.read_profile, caller=r.caller),
    "GET /orders?limit=20": lambda r: recorded(
        orders.list_orders, buyer_id=r.caller.user_id, status=None, limit=20, after=None
    ),
    "GET /orders/<id>": lambda r: recorded(orders.get_order, buyer_id=r.caller.user_id, order_id=r.id),
    "POST /create_order": lambda r: recorded(
        placing.place_order,
        buyer=r.caller,
        basket={line["product_id"]: line["qty"] for line in r.body["items"]},
        order=placing.ITEMS_ALONE,
        terms=NO_PAYMENT,
        idempotency_key=ANY_KEY,
    ),
    "GET /sessions": lambda r: recorded(sessions.list_sessions, caller=r.caller),
    "PATCH /profile": lambda r: recorded(changing.change_profile, caller=r.caller, changes=r.body),
    "GET /profile/export": lambda r: recorded(profile.export, caller=r.caller),
}


def of(work: str, request: str) -> Statement | None:
    """Return the statement of a raw request; None when it runs none."""
    if work not in OF:
        return None
    head, _, body = request.partition("\r\n\r\n")
    path = head.split()[1].partition("?")[0]
    caller = TOKENS.verify(found[1])[0] if (found := _BEARER.search(head)) else NOBODY
    return OF[work](Request(path.rpartition("/")[2], caller, json.loads(body) if body else None))
