"""The requests that are sent: the same to the shop, to the floor server and to a shop that has grown."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import NamedTuple

import psycopg

from bench.asked import NO_TAG, PAGE
from bench.seed import PASSWORD, Size
from bench.wrk import KEY, Load
from chassis.auth.tokens import DemoTokens
from chassis.context import Caller
from chassis.http.pagination import encode_cursor
from chassis.settings import LOCAL_SECRET
from localshop.shop import Shop

READERS, PROFILES, BUYERS, PRODUCTS, BASKETS = 50, 256, 64, 1_000, 2_048
DEEP = 1_000  # pages
HOT = "p1"
LIST = f"/products?limit={PAGE}"


class World(NamedTuple):
    """A shop and who visits it: as many callers, orders and products at every size, drawn from all that are there."""

    shop: Shop
    orders: dict[str, Caller]  # who may read each
    profiles: list[Caller]
    buyers: list[Caller]
    products: list[str]
    baskets: list[list[str]]
    patient: Caller


def visit(shop: Shop, size: Size) -> World:
    chance = random.Random(size.users)  # noqa: S311 - the same visitors in each run
    others = range(size.buyers + 1, size.users)
    return World(
        shop,
        orders=_orders(shop, [_user(n) for n in chance.sample(range(1, size.buyers + 1), READERS)]),
        profiles=[_user(n) for n in chance.sample(others, PROFILES)],
        buyers=[_user(n) for n in chance.sample(others, BUYERS)],
        products=[f"p{n}" for n in chance.sample(range(1, size.products + 1), PRODUCTS)],
        baskets=[[f"p{n}" for n in chance.sample(range(1, size.products + 1), 2)] for _ in range(BASKETS)],
        patient=_user(size.users),
    )


def _user(number: int) -> Caller:
    """Return the user that the seed has given this number."""
    return Caller(f"u-{number:032}", f"user{number}", f"s-{number:032}")


def _orders(shop: Shop, readers: list[Caller]) -> dict[str, Caller]:
    found = "SELECT 'o-' || replace(id::text, '-', ''), buyer_id FROM orders WHERE buyer_id = ANY (%s) ORDER BY id"
    by_id = {reader.user_id: reader for reader in readers}
    with psycopg.connect(shop.order.database_url) as connection:
        return {order: by_id[buyer] for order, buyer in connection.execute(found, [list(by_id)])}


@cache
def bearer(caller: Caller) -> str:
    """Return what the caller shows: the same for a whole run, which no token outlives."""
    return f"Bearer {DemoTokens((LOCAL_SECRET,), 900).sign(caller)}"


def get(path: str, caller: Caller | None = None, **headers: str) -> str:
    return _raw("GET", path, _signed(caller) | headers)


def post(path: str, body: object, caller: Caller | None = None, **headers: str) -> str:
    text = json.dumps(body)
    written = {"Content-Type": "application/json", "Content-Length": str(len(text))}
    return _raw("POST", path, _signed(caller) | written | headers) + text


def _signed(caller: Caller | None) -> dict[str, str]:
    return {"Authorization": bearer(caller)} if caller else {}


def _raw(method: str, path: str, headers: dict[str, str]) -> str:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"


def loads(world: World) -> dict[str, Load]:
    """Return what is sent for each work, by its name."""
    readers = list(dict.fromkeys(world.orders.values()))
    return {
        "products": Load([get(LIST)]),
        "products_304": Load([get(LIST, If_None_Match=NO_TAG)], status=304),
        "product": Load([get(f"/products/{key}") for key in world.products]),
        "profile": Load([get("/profile", caller) for caller in world.profiles]),
        "order": Load([get(f"/orders/{key}", reader) for key, reader in world.orders.items()]),
        "orders": Load([get(f"/orders?limit={PAGE}", reader) for reader in readers]),
        "create_order": Load(placing(world, world.baskets), 201),
        "login": Load([post("/login", {"username": c.username, "password": PASSWORD}) for c in world.profiles]),
        "hot": Load(placing(world, [[HOT]] * BUYERS), 201, connections=64),
        "spread": Load(placing(world, [[key] for key in world.products]), 201, connections=64),
    }


def placing(world: World, baskets: list[list[str]]) -> list[str]:
    """Return orders for each basket, the buyers taking turns."""
    bodies = [{"items": [{"product_id": key, "qty": 1} for key in basket]} for basket in baskets]
    buyers = world.buyers * (len(bodies) // len(world.buyers) + 1)
    return [
        post("/create_order", body, buyer, Idempotency_Key=KEY) for body, buyer in zip(bodies, buyers, strict=False)
    ]


def pages(world: World) -> dict[str, Load]:
    """Return the first and the thousandth page of an own history, and of the catalogue from ever other rows on."""
    with psycopg.connect(world.shop.order.database_url) as connection:
        key = "SELECT id FROM orders WHERE buyer_id = %s ORDER BY id DESC OFFSET %s LIMIT 1"
        row = connection.execute(key, [world.patient.user_id, DEEP * PAGE - PAGE - 1]).fetchone()
    assert row is not None  # noqa: S101 - the seed has made as many
    deep = DEEP * PAGE
    return {
        "own orders page 1": Load([get(f"/orders?limit={PAGE}", world.patient)]),
        "own orders page 1,000": Load([get(f"/orders?limit={PAGE}&after={encode_cursor(row[0].hex)}", world.patient)]),
        # From the page cache a repeated page would come in no time, so no row is begun at twice in a moment.
        "catalogue page 1": Load([get(f"{LIST}&after={encode_cursor(n)}") for n in range(1, DEEP)]),
        "catalogue page 1,000": Load([get(f"{LIST}&after={encode_cursor(n)}") for n in range(deep - DEEP, deep)]),
    }
