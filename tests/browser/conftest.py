from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from report_notes import note, pytest_terminal_summary  # noqa: F401 - a fixture and a hook

from browser import chromium
from browser.database import Databases
from browser.guard import Guard
from browser.visitor import DESKTOP, Visitor
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

Visit = Callable[..., Visitor]


def pytest_configure() -> None:
    if chromium.find() is None:
        pytest.exit(chromium.MISSING, returncode=1)


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """Run the shop of `make up` for all tests that leave it as it was."""
    user_port, order_port = free_ports()
    with fresh_folder() as data, Shop(data, user_port=user_port, order_port=order_port) as shop:
        yield shop


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = chromium.launch(playwright)
        yield started
        started.close()


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
    assert [fault for visitor in visitors for fault in visitor.guard.faults] == []


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Iterator[Visit]:
    with visits(browser, shop) as visit:
        yield visit


@pytest.fixture
def databases(shop: Shop) -> Iterator[Databases]:
    databases = Databases(shop)
    yield databases
    databases.remove_added()
