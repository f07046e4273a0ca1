"""Create customers and orders over HTTP, and build the requests of each load."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import httpx
import psycopg

from bench.shop import PRODUCTS, SERVICES, Shop
from bench.wrk import KEY, Load

BUYERS, READERS, ORDERS_EACH, NEW = 64, 16, 20, 16
PASSWORD = "violet-harbour-42"
HOT, SPREAD = "64 buyers, one product", "64 buyers, 200 products"
PRICED = "POST /create_order with address, shipping and tax"
TERMS = """
INSERT INTO shipping_methods (id, name, countries, currency, price_minor, free_from_minor)
VALUES ('standard', 'Standard', '{DE,AT}', 'EUR', 490, 5000), ('courier', 'Courier', '{DE,AT}', 'EUR', 990, NULL);
INSERT INTO tax_rates SELECT country, tax_class, rate
FROM unnest('{AT,BE,DE,ES,FR,IT,NL,PL}'::text[]) AS country,
    (VALUES ('standard', 19), ('reduced', 7)) AS r(tax_class, rate)
"""
HOME = {"recipient": "Ada", "street": "Main Street 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}
SOME = range(1, PRODUCTS + 1, 5)  # every fifth product


class Customers(NamedTuple):
    """Tokens of customers, a token per order that may read it, and the accounts that sign in during a burst."""

    buyers: Sequence[str]
    readers: Sequence[str]
    orders: dict[str, str]
    signing_in: Sequence[dict[str, str]]


class Running(Protocol):
    url: str


def register(shop: Mapping[str, Running]) -> Customers:
    """Register and sign in all customers; place the orders that the loads read."""
    with httpx.Client(timeout=30) as client:
        accounts = [{"username": f"customer{n}", "password": PASSWORD} for n in range(BUYERS + READERS + NEW)]
        user, order = (shop[name].url for name in SERVICES)
        for number, account in enumerate(accounts):  # behind a proxy, each from an own address: one may open few
            _post(client, f"{user}/register", account, X_Forwarded_For=f"198.51.100.{number}")
        tokens = [_post(client, f"{user}/login", account)["token"] for account in accounts[NEW:]]
        readers = tokens[BUYERS:]
        orders = {
            _post(client, f"{order}/orders", _basket(n, n + 1), token)["order_id"]: token
            for token in readers
            for n in range(1, ORDERS_EACH + 1)
        }
    return Customers(tokens[:BUYERS], readers, orders, accounts[:NEW])


def _post(client: httpx.Client, url: str, body: object, token: str = "", **headers: str) -> dict[str, Any]:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    return dict(client.post(url, json=body, headers=headers).raise_for_status().json())


def _basket(*numbers: int) -> dict[str, Any]:
    return {"items": [{"product_id": f"p{n}", "qty": 1} for n in numbers]}


def loads(customers: Customers) -> dict[str, Load]:
    """Return the loads by name."""
    buyers, user = customers.buyers, "user-service"
    products = Load([request("GET", f"/products/p{n}") for n in SOME])
    profile = Load([request("GET", "/profile", token) for token in buyers], service=user)
    changes = [{"name": f"Ada {n}", "phone": f"+49 30 {n:06}"} for n in range(4 * len(buyers))]
    sign_ins = [request("POST", "/login", body=account) for account in customers.signing_in]
    burst = Load(sign_ins, connections=24, service=user, pause_ms=200, may_be_refused=True)
    return {
        "GET /products?limit=20": Load([request("GET", "/products?limit=20")]),
        "GET /products/<id>": products,
        "GET /profile": profile,
        "GET /orders?limit=20": Load([request("GET", "/orders?limit=20", token) for token in customers.readers]),
        "GET /orders/<id>": Load([request("GET", f"/orders/{key}", token) for key, token in customers.orders.items()]),
        "POST /create_order": placing(buyers, [_basket(n, n + 2) for n in SOME]),
        HOT: placing(buyers, [_basket(1)] * BUYERS)._replace(connections=64),
        SPREAD: placing(buyers, [_basket(n) for n in SOME])._replace(connections=64),
        "GET /sessions": Load([request("GET", "/sessions", token) for token in buyers], service=user),
        "PATCH /profile": Load(
            [request("PATCH", "/profile", buyers[n % BUYERS], body) for n, body in enumerate(changes)], service=user
        ),
        "GET /profile/export": Load([request("GET", "/profile/export", token) for token in buyers], service=user),
        "GET /shop": Load([request("GET", "/shop", Accept="text/html")]),
        "GET /account": Load(
            [request("GET", "/account", Accept="text/html", Cookie=f"shop-token={token}") for token in buyers],
            service=user,
        ),
        "GET /products/<id> during sign-ins": products._replace(meanwhile=burst),
        "GET /profile during sign-ins": profile._replace(meanwhile=burst),
    }


def placing(buyers: Sequence[str], baskets: Sequence[object]) -> Load:
    """Return one order request per basket, of alternating buyers, each with a new idempotency key."""
    sent = [
        request("POST", "/create_order", buyers[n % len(buyers)], body, Idempotency_Key=KEY)
        for n, body in enumerate(baskets)
    ]
    return Load(sent)


def add_terms(shop: Shop) -> None:
    """Give the shop shipping methods and tax rates."""
    with psycopg.connect(shop["order-service"].settings["DATABASE_URL"]) as connection:
        connection.execute(TERMS)


def priced(buyers: Sequence[str]) -> Load:
    """Return the load of orders that are priced with shipping and tax."""
    terms = {"ship_to": HOME, "email": "ada@shop.example", "shipping_method": "standard"}
    return placing(buyers, [_basket(n, n + 2) | terms for n in SOME])


def request(method: str, path: str, token: str = "", body: object = None, **headers: str) -> str:
    """Return a raw HTTP request."""
    text = "" if body is None else json.dumps(body)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if text:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(text))}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n{text}"
