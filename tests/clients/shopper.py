"""Register, sign in, look at the catalogue and order with the generated clients; print the order's total.

The arguments are the addresses of both services and the JSON bodies of registration, sign-in and order.
"""

from __future__ import annotations

import json
import sys

from order_service_client import AuthenticatedClient
from order_service_client import Client as OrderClient
from order_service_client.api.catalog import list_categories, list_products
from order_service_client.api.orders import place_order
from order_service_client.models import CategoryOut, LineIn, OrderOut, OrderStatus, PlaceOrder, UnknownProductProblem
from user_service_client import Client as UserClient
from user_service_client.api.registration import register
from user_service_client.api.sign_in import login
from user_service_client.models import AccountOut, LoginBody, RegisterBody, SignedInOut


def sign_in(client: UserClient, registration: RegisterBody, credentials: LoginBody) -> str:
    account = register.sync(client=client, body=registration)
    assert isinstance(account, AccountOut), account
    signed_in = login.sync(client=client, body=credentials)
    assert isinstance(signed_in, SignedInOut), signed_in
    return signed_in.token


def look_around(client: OrderClient) -> None:
    first = list_products.sync_detailed(client=client, limit=3)
    assert isinstance(first.parsed, list), first
    assert [product.id for product in first.parsed] == ["p1", "p2", "p3"]
    again = list_products.sync_detailed(client=client, limit=3, if_none_match=first.headers["ETag"])
    assert again.status_code == 304
    categories = list_categories.sync(client=client)
    assert isinstance(categories, list), categories
    assert CategoryOut(name="Kitchen", products=10) in categories


def refuse(client: AuthenticatedClient) -> None:
    unknown = PlaceOrder(items=[LineIn(product_id="nothing")])
    refused = place_order.sync(client=client, body=unknown)
    assert isinstance(refused, UnknownProductProblem), refused
    assert refused.products == ["nothing"]


def buy(client: AuthenticatedClient, order: PlaceOrder) -> float:
    placed = place_order.sync(client=client, body=order, idempotency_key="my-first-order")
    assert isinstance(placed, OrderOut), placed
    assert placed.status is OrderStatus.PLACED
    return placed.total


def main(user_url: str, order_url: str, *bodies: str) -> None:
    registration, credentials, order = map(json.loads, bodies)
    token = sign_in(
        UserClient(base_url=user_url), RegisterBody.from_dict(registration), LoginBody.from_dict(credentials)
    )
    look_around(OrderClient(base_url=order_url))
    signed_in = AuthenticatedClient(base_url=order_url, token=token)
    refuse(signed_in)
    print(buy(signed_in, PlaceOrder.from_dict(order)))


if __name__ == "__main__":
    main(*sys.argv[1:])
