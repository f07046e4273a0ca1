"""Send a bounded load of customers to a shop with Locust: `python tools/load/run.py [URL]`.

Without a URL it goes to the shop of `make up`. Any other machine than this one needs `--confirm yes`.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

ROOT = Path(__file__).resolve().parents[2]
LOCUST = ROOT / ".cache/locust/bin/locust"
CUSTOMER = Path(__file__).with_name("customer.py")
MOST_USERS, MOST_SECONDS = 500, 3600
SPAWN_SECONDS = 10  # until all customers have begun, or a fifth of the time where that is less
GOODBYE_SECONDS = 60  # for the last visits, and to delete the accounts
PLAN = """This sends {users} customers for {seconds} s to
  users:  {user_url}
  orders: {order_url}
Each registers an account, searches, orders and cancels a quarter of the orders, about one request a second. Orders and
the stock that they take stay; the accounts are deleted at the end."""


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_base_url(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)


@click.command()
@click.argument("url", default="")
@click.option("--users", default=10, type=click.IntRange(1, MOST_USERS), show_default=True)
@click.option("--seconds", default=60, type=click.IntRange(1, MOST_SECONDS), show_default=True)
@click.option("--confirm", default="", help="yes: send it to another machine.")
def main(url: str, users: int, seconds: int, confirm: str) -> None:
    """Send customers to a shop; exit 1 when a request failed."""
    user_url = (url or f"http://127.0.0.1:{os.environ.get('USER_PORT') or 5001}").rstrip("/")
    order_url = (url or f"http://127.0.0.1:{os.environ.get('ORDER_PORT') or 5002}").rstrip("/")
    if not is_base_url(order_url):
        sys.exit(f"load: {url} is no URL of a shop, such as https://shop.example.com")
    click.echo(PLAN.format(users=users, seconds=seconds, user_url=user_url, order_url=order_url))
    if not is_loopback(order_url) and confirm != "yes":
        sys.exit("load: this is another machine: only if it is yours, say it again with CONFIRM=yes")
    sys.exit(run(user_url, order_url, users, seconds))


def run(user_url: str, order_url: str, users: int, seconds: int) -> int:
    rate = users / min(SPAWN_SECONDS, seconds / 5)
    bounds = ("--users", users, "--spawn-rate", rate, "--run-time", seconds, "--stop-timeout", GOODBYE_SECONDS)
    command = (LOCUST, "--headless", "--only-summary", "--loglevel", "WARNING", "--locustfile", CUSTOMER, *bounds)
    environment = {**os.environ, "USER_URL": user_url, "ORDER_URL": order_url}
    return subprocess.run([str(part) for part in command], env=environment, check=False).returncode


if __name__ == "__main__":
    main()
