"""The statement that a service runs for a request, recorded from the service's own function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn, cast

import httpx
from psycopg.sql import Composed

from bench.shop import SERVICES, Shop
from chassis.database import Database
from chassis.tokens import Caller
from order_service.catalog import queries as catalog
from order_service.orders import actions as placing
from order_service.orders import queries as orders
from user_service.profile import actions as changing
from user_service.profile import queries as profile
from user_service.sessions import queries as sessions

ANY_KEY = "an idempotency key"
NOBODY = Caller("", "", "")
_BEARER = re.compile(r"Authorization: Bearer (\S+)")


class Statement(NamedTuple):
    """A statement and its parameters; `key` names the parameter that takes a new idempotency key each time."""

    sql: str
    parameters: Mapping[str, Any]
    key: str = ""


class Request(NamedTuple):
    """What a statement depends on."""

    id: str
    caller: Caller
    body: Any


class _Recorded(Exception):
    pass


class _Recorder:
    """A database whose methods raise the statement and the parameters with which they are called."""

    def __getattr__(self, _: str) -> Callable[..., NoReturn]:
        def record(*arguments: Any) -> NoReturn:
            raise _Recorded(*arguments[-2:])  # a batched statement comes with its group first

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


def order(buyer: Caller, items: list[dict[str, Any]]) -> Statement:
    basket = {line["product_id"]: line["qty"] for line in items}
    return recorded(placing.place_order, buyer=buyer, basket=basket, ship_to=None, idempotency_key=ANY_KEY)


# By work. The product list comes from memory.
OF: dict[str, Callable[[Request], Statement]] = {
    "GET /products/<id>": lambda r: recorded(catalog.get_product, product_id=r.id),
    "GET /profile": lambda r: recorded(profile.read_profile, caller=r.caller),
    "GET /orders?limit=20": lambda r: recorded(
        orders.list_orders, buyer_id=r.caller.user_id, status=None, limit=20, after=None
    ),
    "GET /orders/<id>": lambda r: recorded(orders.get_order, buyer_id=r.caller.user_id, order_id=r.id),
    "POST /create_order": lambda r: order(r.caller, r.body["items"]),
    "GET /sessions": lambda r: recorded(sessions.list_sessions, caller=r.caller),
    "PATCH /profile": lambda r: recorded(changing.change_profile, caller=r.caller, changes=r.body),
    "GET /profile/export": lambda r: recorded(profile.export, caller=r.caller),
}


def of(work: str, request: str, callers: Mapping[str, Caller]) -> Statement | None:
    """Return the statement for a raw request, None when it needs none."""
    if work not in OF:
        return None
    head, _, body = request.partition("\r\n\r\n")
    path = head.split()[1].partition("?")[0]
    caller = callers[found[1]] if (found := _BEARER.search(head)) else NOBODY
    return OF[work](Request(path.rpartition("/")[2], caller, json.loads(body) if body else None))


def callers(shop: Shop, tokens: list[str]) -> dict[str, Caller]:
    """Return the callers behind tokens, as the shop itself says."""
    user = shop[SERVICES[0]].url
    with httpx.Client() as client:

        def ask(path: str, token: str) -> Any:
            return client.get(f"{user}{path}", headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()

        return {token: _caller(ask("/profile", token), ask("/sessions", token)) for token in tokens}


def _caller(own: dict[str, str], live: list[dict[str, Any]]) -> Caller:
    return Caller(own["id"], own["username"], next(session["id"] for session in live if session["current"]))
