"""A person who uses the shop in a browser, and what they do there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Response, ViewportSize, expect

from browser.guard import Guard
from localshop.shop import Shop

PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PASSWORD = "violet-harbour-42"
ADDRESS = {"recipient": "Ada L", "street": "Unter den Linden 12", "postal_code": "10117", "city": "Berlin"}
COUNTRY = "DE"  # one that the demo's shipping methods go to

_numbers = itertools.count(1)


class Visitor:
    """One person: a browser context with cookies of its own, and a page of it."""

    def __init__(self, context: BrowserContext, shop: Shop, guard: Guard) -> None:
        self.context = context
        self.guard = guard
        self.page = context.new_page()
        self.username = f"ada{next(_numbers)}"
        self.email = f"{self.username}@shop.example"
        self.password = PASSWORD
        self._shop = shop

    def expects(self, *statuses: int) -> None:
        """Let the guard pass these statuses from now on."""
        self.guard.expected |= set(statuses)

    def url(self, path: str) -> str:
        service = self._shop.user if path.startswith("/account") else self._shop.order
        return f"http://localhost:{service.port}{path}"

    def open(self, path: str) -> Response:
        response = self.page.goto(self.url(path))
        assert response
        return response

    @property
    def path(self) -> str:
        """The path of the page that is open."""
        return urlsplit(self.page.url).path

    @property
    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    @property
    def main(self) -> Locator:
        return self.page.get_by_role("main")

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def follow(self, name: str) -> None:
        """Click a link, and wait for the next page."""
        self.go_on(self.link(name))

    def press(self, name: str) -> None:
        """Click a button, and wait for the next page."""
        self.go_on(self.button(name))

    def go_on(self, locator: Locator) -> None:
        with self.page.expect_navigation():
            locator.click()

    def sees(self, text: str) -> None:
        expect(self.main).to_contain_text(text)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.main.locator(f"input[name={name}]").fill(value)

    def sign_up(self, **fields: str) -> None:
        """Fill in the page that opens an account, and send it."""
        self.fill(username=self.username, password=self.password, **fields)
        self.press("Create the account")

    def join(self) -> None:
        """Create an account, as if nothing else was wanted."""
        self.open("/account/sign-up")
        self.sign_up()
        assert self.path == "/account"

    def sign_in(self) -> None:
        self.fill(username=self.username, password=self.password)
        self.press("Sign in")

    def sign_out(self) -> None:
        self.open("/account/sign-out")
        self.main.get_by_role("button", name="Sign out").click()
        self.page.wait_for_url("**/account/sign-in**")

    def add(self, product_id: str, qty: int = 1) -> None:
        """Put a product into the basket."""
        self.open(f"/shop/products/{product_id}")
        self.fill(qty=str(qty))
        self.press("Add to basket")

    def set_quantity(self, product: str, qty: int) -> None:
        """Change the quantity of a product in the basket."""
        self.page.get_by_label(f"Quantity of {product}").fill(str(qty))
        self.press("Update quantities")

    def update(self, button: Locator) -> None:
        """Let the total of the checkout follow the address; with JavaScript it does so by itself."""
        if button.is_visible():
            self.go_on(button)
        expect(self.button("Place the order")).to_be_visible()

    def fill_address(self, **changed: str) -> None:
        """Type an address; at the checkout, look at what it changes."""
        self.type_address(**changed)
        if (button := self.main.locator("button[value=update]")).count():
            self.update(button)

    def type_address(self, **changed: str) -> None:
        self.fill(**{**ADDRESS, **changed})
        self.main.locator("select[name=country]").select_option(COUNTRY)
        if self.main.locator("input[name=email]").count():  # of the checkout
            self.fill(email=self.email)

    def import_file(self, text: str) -> None:
        """Choose a CSV file in the back office, and look at what it would change."""
        self.open("/backoffice/import")
        file: FilePayload = {"name": "products.csv", "mimeType": "text/csv", "buffer": text.encode()}
        self.main.locator("input[type=file]").set_input_files(file)
        self.press("Show what would change")

    def order(self, product_id: str) -> str:
        """Order one of a product to a typed address; return the order's id."""
        self.add(product_id)
        self.press("Go to checkout")
        self.fill_address()
        self.press("Place the order")
        self.sees("Thank you!")
        return self.path.rpartition("/")[2]

    def basket_count(self) -> str:
        """Return the number beside the basket in the header, "" for none."""
        number = self.page.locator(".basket b")
        return number.inner_text().split()[0] if number.count() else ""

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)


Visit = Callable[..., Visitor]


@contextmanager
def visits(browser: Browser, shop: Shop) -> Iterator[Visit]:
    """Yield a function that brings a visitor; in the end, nothing may have gone wrong in any page.

    Its arguments are those of a browser context. `guarded=False` is for visitors who also open pages of other sites.
    """
    visitors: list[Visitor] = []

    def bring(*, guarded: bool = True, **options: Any) -> Visitor:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        context.set_default_timeout(20_000)
        visitor = Visitor(context, shop, Guard(context))
        visitors.extend([visitor] if guarded else [])
        return visitor

    try:
        yield bring
    finally:
        for visitor in visitors:  # pytest shows it beside a failure
            print(visitor.page.url, visitor.page.locator("body").inner_text(), sep="\n")
        for context in browser.contexts:
            context.close()
    faults = [fault for visitor in visitors for fault in visitor.guard.faults]
    assert not faults, "\n".join(faults)
