"""Pages are small, and nothing in them moves while they load."""

from __future__ import annotations

import pytest
from playwright.sync_api import Response, ViewportSize

from browser.visitor import DESKTOP, PHONE, Visit, Visitor

KB = 1000
MOST_HTML, MOST_CSS, MOST_JAVASCRIPT = 30 * KB, 15 * KB, 20 * KB
MOST_SHIFT = 0.01
OBSERVE = """window.shift = 0;
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; })
    .observe({ type: "layout-shift", buffered: true });"""


def weigh(visitor: Visitor, path: str) -> dict[str, int]:
    """Return the bytes of HTML, stylesheets and scripts that the page needs, uncompressed."""
    loaded: list[Response] = []

    def keep(response: Response) -> None:
        loaded.append(response)

    visitor.page.on("response", keep)
    visitor.open(path)
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.remove_listener("response", keep)
    kinds = ("document", "stylesheet", "script")
    return {kind: sum(len(each.body()) for each in loaded if each.request.resource_type == kind) for kind in kinds}


def test_pages_stay_below_their_sizes(visit: Visit, note: list[str]) -> None:
    visitor = visit()
    sizes = {name: weigh(visitor, path) for name, path in (("list", "/shop"), ("product", "/shop/products/p1"))}
    visitor.join()
    for number in range(1, 11):
        visitor.add(f"p{number}")
    sizes |= {name: weigh(visitor, f"/shop/{name}") for name in ("basket", "checkout")}
    note.extend(f"{name}: {size}" for name, size in sizes.items())
    for name, size in sizes.items():
        assert 0 < size["document"] < MOST_HTML, name
        assert 0 < size["stylesheet"] < MOST_CSS, name
        assert 0 < size["script"] < MOST_JAVASCRIPT, name


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("path", ["/shop", "/shop/products/p1"])
def test_nothing_moves_while_a_page_loads(visit: Visit, path: str, size: ViewportSize) -> None:
    visitor = visit(viewport=size)
    visitor.context.add_init_script(OBSERVE)
    visitor.open(path)
    visitor.page.wait_for_load_state("networkidle")
    assert visitor.evaluate("() => window.shift") < MOST_SHIFT
