"""The text that the terminal shows when the shop is ready."""

from __future__ import annotations

import json
from typing import Any

from localshop.shop import Shop
from localshop.staff import PASSWORD_FILE, USERNAME

ACCOUNT = {"username": "ada", "password": "violet-harbour-42"}
ORDER = {"items": [{"product_id": "p1", "qty": 2}, {"product_id": "p3", "qty": 1}]}
PICK = """python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'"""


def welcome(shop: Shop, staff_password: str | None = None) -> str:
    user, order = shop.user.url, shop.order.url
    return f"""
The shop is open. Ctrl-C stops it; its data stays in {shop.data}

  shop      {order}/shop
{_mailbox(shop)}  API       {order}/openapi/ (order-service), {user}/openapi/ (user-service)
  staff     {_staff(shop, staff_password)}
  logs      {shop.data / "logs"}

Open the shop in a browser, or try the API from another terminal: register, then sign in and look around, then order

  {_post(f"{user}/register", ACCOUNT)}

  TOKEN=$({_post(f"{user}/login", ACCOUNT)} | {PICK}); curl -sw '\\n' '{order}/products?limit=3'

  {_post(f"{order}/orders", ORDER)} -H "Authorization: Bearer $TOKEN"
"""


def _mailbox(shop: Shop) -> str:
    return f"  mailbox   {shop.mailbox.url}\n" if shop.mailbox else ""


def _staff(shop: Shop, password: str | None) -> str:
    """Show the password once; later, where it is kept."""
    file = shop.data / PASSWORD_FILE
    if password:
        return f"username {USERNAME}, password {password} (shown once, kept in {file})"
    return f"username {USERNAME}, password in {file}"


def _post(url: str, body: dict[str, Any]) -> str:
    return f"curl -sw '\\n' {url} -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
