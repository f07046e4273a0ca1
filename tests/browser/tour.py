"""Lead a visitor through every page, in every state that looks different."""

from __future__ import annotations

from collections.abc import Iterator

from browser.database import Databases
from browser.visitor import Visitor

LONG = "Extraordinarily long-lived weatherproof expedition lantern with dimmer, spare wick and carrying handle"


def tour(visitor: Visitor, databases: Databases) -> Iterator[str]:
    """Open one page after the other; yield the name of each."""
    visitor.expects(400, 401, 403, 404)
    yield from _as_a_stranger(visitor)
    yield from _shopping(visitor, databases)
    yield from _ordering(visitor)
    yield from _in_the_account(visitor)
    yield from _in_the_back_office(visitor, databases)


def _as_a_stranger(visitor: Visitor) -> Iterator[str]:
    for path in ("/shop", "/shop?q=nothing-fits", "/shop/products/p1", "/shop/basket", "/shop/nowhere"):
        visitor.open(path)
        yield path
    visitor.open("/account/sign-in")
    yield "sign in"
    visitor.sign_in()
    yield "sign in, refused"
    visitor.open("/account/sign-up")
    yield "sign up"
    visitor.fill(username="a b", password="short")
    visitor.press("Create the account")
    yield "sign up, refused"
    visitor.sign_up(name="Ada")
    yield "profile"
    visitor.open("/shop/orders")
    yield "no orders"


def _shopping(visitor: Visitor, databases: Databases) -> Iterator[str]:
    number = visitor.username
    ids = [databases.add_product(f"{number}-{name}", name=LONG) for name in ("dearer", "scarce", "sold-out", "gone")]
    for product_id in ids:
        visitor.add(product_id, 2)
    yield "basket, added"
    databases.run("order_service", "UPDATE products SET price_minor = 9999999 WHERE id = %(id)s", id=ids[0])
    databases.run("order_service", "UPDATE products SET stock = 1 WHERE id = %(id)s", id=ids[1])
    databases.run("order_service", "UPDATE products SET stock = 0 WHERE id = %(id)s", id=ids[2])
    databases.run("order_service", "DELETE FROM products WHERE id = %(id)s", id=ids[3])
    visitor.open("/shop/basket")
    yield "basket, everything changed"
    for product_id in ids[1:3]:
        visitor.open(f"/shop/products/{product_id}")
        yield product_id.removeprefix(f"{number}-")
    visitor.context.clear_cookies(name="shop-basket")


def _ordering(visitor: Visitor) -> Iterator[str]:
    visitor.add("p1")
    visitor.add("p2", 3)
    visitor.open("/shop/checkout")
    yield "checkout"
    send_unchecked(visitor, "Continue")  # without a country there is no total yet
    yield "checkout, refused"
    visitor.fill_address()
    visitor.press("Place the order")
    yield "order placed"
    visitor.follow("Cancel this order")
    yield "cancel"
    visitor.press("Cancel the order")
    yield "order cancelled"
    visitor.open("/shop/orders")
    yield "orders"


def _in_the_account(visitor: Visitor) -> Iterator[str]:
    visitor.open("/account")
    visitor.fill(phone="none")
    visitor.press("Save")
    yield "profile, refused"
    visitor.open("/account/address")
    yield "no address"
    send_unchecked(visitor, "Save")
    yield "address, refused"
    visitor.fill_address()
    visitor.press("Save")
    yield "address, saved"
    visitor.add("p1")
    visitor.open("/shop/checkout")
    yield "checkout with a saved address"
    for page in ("devices", "password", "passkeys", "passkeys/add", "data", "delete", "sign-out"):
        visitor.open(f"/account/{page}")
        yield page
    visitor.open("/account/delete")
    visitor.fill(password="not this one")
    visitor.press("Delete the account")
    yield "delete, refused"
    visitor.open("/account/nowhere")
    yield "/account/nowhere"


def _in_the_back_office(visitor: Visitor, databases: Databases) -> Iterator[str]:
    product_id = databases.add_product(f"{visitor.username} long", name=LONG)
    visitor.open("/backoffice")
    yield "back office, for staff only"
    databases.make_staff(visitor.username)
    visitor.context.clear_cookies()
    visitor.open("/account/sign-in")
    visitor.sign_in()
    yield from _orders_of_the_staff(visitor, databases)
    for path in (
        "products",
        "products?q=nothing-fits",
        "products?in_stock=low",
        "new-product",
        "import",
        "audit",
        "audit?subject=nothing",
        "webhooks",
        "shipping",
        "shipping/method",
        "shipping/method?id=standard",
    ):
        visitor.open(f"/backoffice/{path}")
        yield path
    visitor.open("/backoffice/audit")
    visitor.press("Filter")
    visitor.open(f"/backoffice/products/{product_id}")
    yield "product of the back office"
    visitor.fill(price="cheap")
    visitor.press("Save")
    yield "product, refused"
    visitor.open(f"/backoffice/products/{product_id}/stock")
    send_unchecked(visitor, "Adjust the stock")
    yield "stock, refused"
    visitor.fill(units="-3", reason="count")
    visitor.press("Adjust the stock")
    yield "stock, adjusted"
    yield from _importing(visitor, product_id)
    for path in ("customers", "customers?q=nobody-at-all", "audit"):
        visitor.open(f"/account/backoffice/{path}")
        yield f"{path} of the account"
    visitor.open(f"/account/backoffice/customers?q={visitor.username}")
    visitor.go_on(visitor.main.locator("td a").first)
    yield "customer"


def _orders_of_the_staff(visitor: Visitor, databases: Databases) -> Iterator[str]:
    visitor.add("p1")
    visitor.press("Go to checkout")
    visitor.fill(email=visitor.email)
    visitor.press("Place the order")  # to the saved address
    order_id = visitor.path.rpartition("/")[2]
    databases.pay(order_id, email=f"{visitor.username}@example.org")
    order = f"orders/{order_id}"
    for path in ("", "jobs", "jobs?status=waiting", "orders", "orders?q=nothing-fits", order):
        visitor.open(f"/backoffice/{path}")
        yield f"/backoffice/{path}"
    for form in ("contact", "refund", "cancel"):
        visitor.open(f"/backoffice/{order}/{form}")
        yield f"{form} of an order"
        visitor.main.locator("[name=reason], [name=street]").fill("")
        visitor.main.locator("form").last.evaluate("form => form.noValidate = true")
        visitor.go_on(visitor.main.locator("form button").first)
        yield f"{form} of an order, refused"
    visitor.open(f"/backoffice/{order}/refund?all=1")
    visitor.fill(reason="broken")
    visitor.press("Continue")
    yield "refund of an order, confirmation"
    visitor.open(f"/backoffice/{order}")
    visitor.press("Mark as shipped")
    yield "order, shipped"


def _importing(visitor: Visitor, product_id: str) -> Iterator[str]:
    header, row = "id,name,category,price,currency,stock\n", f'{product_id},"{LONG}",Test,'
    visitor.import_file(f"{header}TEE/RED,Shirt,Test,9,EUR,1\n{row}cheap,EUR,many\n")
    yield "import, refused"
    visitor.import_file(f"{header}{row}12.50,EUR,+3\n")
    yield "import, preview"
    visitor.press("Import")
    yield "import, done"


def send_unchecked(visitor: Visitor, button: str) -> None:
    """Press a button, and let the server find what is wrong, as browsers without the check do."""
    visitor.main.locator("form").last.evaluate("form => form.noValidate = true")
    visitor.press(button)
