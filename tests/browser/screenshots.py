"""Take the pictures of README.md and docs/storefront.md: `make screenshots`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from browser import chromium
from browser.database import Databases
from browser.guard import Guard
from browser.visitor import DESKTOP, PHONE, Visitor
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
LARGEST, LARGEST_TOTAL = 200_000, 1_500_000  # bytes
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


CATALOGUE = """id,name,category,price,currency,stock
p2,Mechanical Keyboard,Computer Accessories,64.90,EUR,+20
p4,Aluminium Laptop Stand,Computer Accessories,34.50,EUR,250
TEE/RED/M,T-shirt,Clothing,20.00,EUR,5
p9,Portable SSD 1 TB,Storage,"89,00",EUR,220
p14,Noise-Cancelling Headphones,Audio,129.00,EUR,a few
"""


class TooLarge(SystemExit):
    """A picture has more bytes than the repository shall hold."""


def scenes(visitor: Visitor, databases: Databases) -> Iterator[str]:
    """Open one page after the other; yield the name of each."""
    visitor.open("/account/sign-up")
    visitor.sign_up(name="Ada")
    visitor.open("/shop")
    yield "shop"
    visitor.open("/shop/products/p2")
    yield "product"
    for product_id in ("p2", "p5", "p9"):
        visitor.add(product_id)
    visitor.open("/shop/basket")
    yield "basket"
    visitor.press("Go to checkout")
    visitor.fill_address()
    visitor.press("Place the order")
    yield "order"
    visitor.open("/account")
    yield "account"
    databases.make_staff(visitor.username)
    visitor.sign_out()
    visitor.open("/backoffice")
    visitor.sign_in()
    visitor.open("/backoffice/products")
    yield "backoffice"
    visitor.import_file(CATALOGUE)
    yield "import"


def take(visitor: Visitor, databases: Databases, look: str) -> None:
    for scene in scenes(visitor, databases):
        visitor.page.mouse.move(0, 0)
        visitor.page.wait_for_load_state("networkidle")
        visitor.page.screenshot(path=FOLDER / f"{scene}-{look}.png", animations="disabled", caret="hide")


def check_sizes() -> None:
    """Raise TooLarge."""
    sizes = {file.name: file.stat().st_size for file in FOLDER.glob("*.png")}
    for name, size in sizes.items():
        if size > LARGEST:
            raise TooLarge(f"{name} has {size} bytes, more than {LARGEST}: show less in it")
    if sum(sizes.values()) > LARGEST_TOTAL:
        raise TooLarge(f"the pictures have {sum(sizes.values())} bytes, more than {LARGEST_TOTAL}: take fewer")


def main() -> None:
    if chromium.find() is None:
        raise SystemExit(chromium.MISSING)
    FOLDER.mkdir(exist_ok=True)
    user_port, order_port = free_ports()
    with (
        fresh_folder() as data,
        Shop(data, user_port=user_port, order_port=order_port) as shop,
        sync_playwright() as playwright,
        chromium.launch(playwright) as browser,
    ):
        for look, options in LOOKS.items():
            context = browser.new_context(**options)
            take(Visitor(context, shop, Guard(context)), Databases(shop), look)
    check_sizes()


if __name__ == "__main__":
    main()
