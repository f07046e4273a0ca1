"""`make load` against a running shop; other machines need a confirmation."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from localshop.environment import own
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

ROOT = Path(__file__).parents[2]
LEFT = "SELECT count(*) FROM users WHERE deleted_at IS NULL"
ORDERS = "SELECT count(*), count(*) FILTER (WHERE status = 'cancelled') FROM orders"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    user_port, order_port = free_ports()
    with fresh_folder() as data, Shop(data, user_port=user_port, order_port=order_port) as shop:
        yield shop


def load(*variables: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ("make", "--no-print-directory", "load", *variables)
    environment = {**own(os.environ), **environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def ask(url: str, question: str) -> tuple[int, ...]:
    with psycopg.connect(url) as connection:
        return tuple(connection.execute(question.encode()).fetchone() or ())


@pytest.mark.e2e
def test_customers_order_for_ten_seconds_and_leave_no_account(shop: Shop) -> None:
    ports = {"USER_PORT": str(shop.user.port), "ORDER_PORT": str(shop.order.port)}
    sent = load("USERS=10", "SECONDS=10", **ports)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert f"10 customers for 10 s to\n  users:  {shop.user.url}\n  orders: {shop.order.url}" in sent.stdout
    for request in ("POST /register", "GET /products?q=", "POST /login", "POST /orders", "GET /orders/<id>"):
        assert re.search(rf"{re.escape(request)} .* 0\(0.00%\)", sent.stdout + sent.stderr), request
    assert "Response time percentiles" in sent.stdout + sent.stderr
    orders, _ = ask(shop.order.database_url, ORDERS)
    assert orders > 0
    assert ask(shop.user.database_url, LEFT) == (0,)


@pytest.mark.e2e
def test_errors_are_listed_and_make_the_load_fail(shop: Shop) -> None:
    nobody, _ = free_ports()
    sent = load("USERS=1", "SECONDS=2", USER_PORT=str(shop.user.port), ORDER_PORT=str(nobody))
    assert sent.returncode != 0
    assert "Connection refused" in sent.stdout + sent.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (["URL=http://192.0.2.1"], "say it again with CONFIRM=yes"),
        (["URL=https://127.0.0.1.example.com"], "say it again with CONFIRM=yes"),
        (["URL=shop.example.com", "CONFIRM=yes"], "is no URL of a shop"),
        (["USERS=501"], "not in the range 1<=x<=500"),
        (["SECONDS=3601"], "not in the range 1<=x<=3600"),
    ],
)
def test_load_that_is_unconfirmed_or_unbounded_is_refused(variables: list[str], said: str) -> None:
    refused = load(*variables)
    assert refused.returncode != 0
    assert said in refused.stdout + refused.stderr
    assert "Response time" not in refused.stdout + refused.stderr
