"""Crash before and after each write of staff to the catalogue: it happens once or not at all."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from chaos import failpoints
from chaos.environment import Environment, bearer, open_session
from chaos.failpoints import Deed
from chaos.report import Outcome
from order_service.catalog.stock import DIFFERENT

LAMP = {"name": "Lamp", "category": "Home", "price": 5, "currency": "EUR", "stock": 5}
PRODUCTS = "/admin/products"
HEADER = "id,name,category,price,currency,stock\n"


class Change(NamedTuple):
    """A request, the status of its repetition after a crash before and after the commit, and the stock afterwards."""

    method: str
    path: str
    body: dict[str, Any] | str
    before: int
    after: int
    stock: int


RENAME = Change("PATCH", "/{id}", {"name": "Lantern"}, 200, 200, 5)
CHANGES = {
    "create_product": Change("POST", "", LAMP, 201, 409, 5),
    "change_product": RENAME,
    "index_product": RENAME,
    "adjust_stock": Change("POST", "/{id}/stock", {"units": -2, "reason": "broken"}, 200, 200, 3),
    "import_catalog": Change("POST", "/import?stock=set", HEADER + "{id},Lamp,Home,6,EUR,9\n", 200, 200, 9),
}


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.CATALOGUE))
def test_the_catalogue_is_changed_once_after_a_crash_at(point: str, environment: Environment) -> None:
    # given a product, unless the request creates it
    name, _, moment = point.partition(".")
    change, product_id = CHANGES[name], point.replace(".", "-")
    http = httpx.Client(base_url=environment.shop.order.url, timeout=15)
    http.headers.update(staff(environment, point) | {"Idempotency-Key": point})
    if name != "create_product":
        http.post(PRODUCTS, json=LAMP | {"id": product_id}).raise_for_status()
    request = filled(change, product_id)

    # when the server crashes while it serves the request
    armed = environment.arm(point)
    with pytest.raises(httpx.TransportError):
        http.request(**request)
    assert not armed.exists()
    crashed_at = time.monotonic()
    again = insist(environment, http, request)

    # then its repetition finds it done or not done, and it is done once
    committed = moment == "committed" or (name in failpoints.ALONE and moment == "after")
    assert again.status_code == (change.after if committed else change.before)
    assert http.get(f"{PRODUCTS}/{product_id}").json()["stock"] == change.stock
    http.close()
    with psycopg.connect(environment.shop.order.database_url) as connection:
        assert connection.execute(DIFFERENT).fetchall() == []
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))


def filled(change: Change, product_id: str) -> dict[str, Any]:
    """Return the request of this change; the same one may be sent twice."""
    request: dict[str, Any] = {"method": change.method, "url": PRODUCTS + change.path.replace("{id}", product_id)}
    if isinstance(change.body, str):
        text = change.body.replace("{id}", product_id)
        return request | {"content": text, "headers": {"Content-Type": "text/csv"}}
    return request | {"json": change.body | ({} if change.path else {"id": product_id})}


def staff(environment: Environment, point: str) -> dict[str, str]:
    """Return the headers of one of the staff."""
    username = f"staff-{point.replace('.', '-')}"
    open_session(environment.shop, username)
    with psycopg.connect(environment.shop.user.database_url) as connection:
        connection.execute("UPDATE users SET roles = '{staff}' WHERE username = %s", (username,))
    return bearer(open_session(environment.shop, username))


def insist(environment: Environment, http: httpx.Client, request: dict[str, Any]) -> httpx.Response:
    """Repeat a request until the answer is not 503; restart ended servers meanwhile."""
    while True:
        try:
            answer = http.request(**request)
            if answer.status_code != 503:
                return answer
        except httpx.TransportError:
            pass
        environment.tend(0.1)
