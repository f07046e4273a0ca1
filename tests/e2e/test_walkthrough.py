"""A customer orders; the commands of the README and of `make up` work."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from plain_shell import run_as_new_user

import order_service
import user_service
from chassis.testing.postgres import migrated_database
from localshop.shop import Shop
from localshop.staff import PASSWORD_FILE, USERNAME, first_staff
from localshop.testing import free_ports, fresh_folder
from localshop.welcome import welcome

pytestmark = pytest.mark.e2e
README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Run a shop on external databases, as with USER_DATABASE_URL and ORDER_DATABASE_URL."""
    user_port, order_port = free_ports()
    with (
        fresh_folder() as data,
        migrated_database("e2e_user", user_service.MIGRATIONS) as user,
        migrated_database("e2e_order", order_service.MIGRATIONS) as order,
        Shop(data, user_port=user_port, order_port=order_port, databases=(user, order)) as shop,
    ):
        yield shop
        assert [path.name for path in data.iterdir()] == ["logs"]


def register_and_sign_in(shop: Shop, username: str) -> dict[str, str]:
    """Return the headers of a new customer."""
    account = {"username": username, "password": "violet-harbour-42"}
    httpx.post(f"{shop.user.url}/register", json=account).raise_for_status()
    token = httpx.post(f"{shop.user.url}/login", json=account).raise_for_status().json()["token"]
    return {"Authorization": f"Bearer {token}"}


def members(answer: httpx.Response, *names: str) -> dict[str, Any]:
    return {name: answer.json()[name] for name in names}


def test_customer_orders_and_reads_back_and_another_gets_404(shop: Shop) -> None:
    user, order = shop.user.url, shop.order.url
    alice = {"username": "alice", "name": "Alice", "email": "alice@example.org"}

    registered = httpx.post(f"{user}/register", json=alice | {"password": "violet-harbour-42"})
    assert registered.status_code == 201
    assert members(registered, *alice) == alice
    again = httpx.post(f"{user}/register", json=alice | {"password": "violet-harbour-42"})
    assert (again.status_code, again.json()["error"]) == (409, "username already exists")

    login = httpx.post(f"{user}/login", json={"username": "alice", "password": "violet-harbour-42"})
    assert login.status_code == 200
    signed_in = {"Authorization": f"Bearer {login.json()['token']}"}
    assert members(httpx.get(f"{user}/profile", headers=signed_in), *alice) == alice

    products = httpx.get(f"{order}/products").json()
    first = [(product["id"], product["name"], product["price"]) for product in products[:3]]
    assert first == [("p1", "Wireless Mouse", 19.99), ("p2", "Mechanical Keyboard", 59.49), ("p3", "USB-C Hub", 24.9)]

    items = [{"product_id": "p1", "qty": 2}, {"product_id": "p3", "qty": 1}]
    placed = [
        httpx.post(f"{order}/{path}", json={"items": items}, headers=signed_in) for path in ("create_order", "orders")
    ]
    for answer in placed:
        assert (answer.status_code, answer.json()["total"]) == (201, 64.88)
        assert [line["line_total"] for line in answer.json()["items"]] == [39.98, 24.9]

    ids = [answer.json()["order_id"] for answer in placed]
    listed = httpx.get(f"{order}/orders", headers=signed_in).json()
    assert [entry["order_id"] for entry in listed] == ids[::-1]
    read = httpx.get(f"{order}/orders/{ids[0]}", headers=signed_in)
    assert (read.status_code, read.json()["total"]) == (200, 64.88)

    stranger = httpx.get(f"{order}/orders/{ids[0]}", headers=register_and_sign_in(shop, "mallory"))
    assert (stranger.status_code, stranger.json()["error"]) == (404, "not found")


MARKED_BLOCK = re.compile(r"<!-- walk-through -->\s*```sh\n(.*?)```", re.DOTALL)
INDENTED_LINE = re.compile(r"^  ((?:curl|TOKEN=).*)$", re.MULTILINE)


def commands_of_readme() -> str:
    """Return the sh block below the README's marking comment."""
    (block,) = MARKED_BLOCK.findall(README.read_text())
    return str(block)


def commands_of_make_up(shop: Shop) -> str:
    """Return the example commands that `make up` prints."""
    lines = INDENTED_LINE.findall(welcome(shop))
    assert len(lines) == 3
    return "\n".join(lines)


def test_the_commands_of_the_readme_place_an_order_of_64_88_and_list_it(shop: Shop, tmp_path: Path) -> None:
    written = run_as_new_user(commands_of_readme(), shop, tmp_path)

    assert len([json.loads(line) for line in written.splitlines()]) == 5  # an answer a line
    assert written.count('"username":"grace"') == 2
    assert written.count('"total":64.88') == 2


def test_walk_through_needs_no_more_of_curl_than_the_stand_in_has(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name, path=None: path)

    written = run_as_new_user(commands_of_readme().replace("grace", "hopper"), shop, tmp_path)

    assert written.count('"total":64.88') == 2


def test_the_commands_that_make_up_shows_place_an_order_of_64_88(shop: Shop, tmp_path: Path) -> None:
    written = run_as_new_user(commands_of_make_up(shop), shop, tmp_path)

    assert written.count('"username":"ada"') == 1
    assert written.count('"total":64.88') == 1


def test_staff_of_make_up_sign_in_with_the_kept_password(shop: Shop) -> None:
    shown, file = first_staff(shop), shop.data / PASSWORD_FILE
    assert shown == file.read_text().strip()
    assert first_staff(shop) is None
    account = {"username": USERNAME, "password": shown}
    token = httpx.post(f"{shop.user.url}/login", json=account).raise_for_status().json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{shop.user.url}/staff/customers", headers=headers).status_code == 200
    imports = httpx.get(f"{shop.order.url}/admin/audit", headers=headers).json()
    assert [(entry["staff_id"], entry["action"]) for entry in imports] == [
        (None, "tax_rates.import"),
        (None, "shipping_methods.import"),
        (None, "catalog.import"),
    ]
    file.unlink()
