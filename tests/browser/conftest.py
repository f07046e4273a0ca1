from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from report_notes import note, pytest_terminal_summary  # noqa: F401 - a fixture and a hook

from browser import chromium
from browser.database import Databases
from browser.visitor import Visit, visits
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder


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


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Iterator[Visit]:
    with visits(browser, shop) as visit:
        yield visit


@pytest.fixture
def databases(shop: Shop) -> Iterator[Databases]:
    databases = Databases(shop)
    yield databases
    databases.remove_added()
