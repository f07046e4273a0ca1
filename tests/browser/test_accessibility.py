"""Every page passes axe-core in light and dark, fits narrow phones, and has targets that a finger hits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import ViewportSize

from browser import axe
from browser.database import Databases
from browser.tour import tour
from browser.visitor import DESKTOP, PHONE, Visit, Visitor

NARROW = (360, 320)
TOO_WIDE = "() => Math.max(0, document.documentElement.scrollWidth - innerWidth)"
# Links inside a sentence are as high as its line (WCAG 2.5.8); what is not shown is no target.
SMALL = """() => [...document.querySelectorAll("a, button, input, select, summary")].filter((element) => {
    const box = element.getBoundingClientRect();
    const inline = getComputedStyle(element).display === "inline" && element.matches("p a, li a, dd a");
    return element.checkVisibility() && !inline && box.width > 1 && (box.width < 24 || box.height < 24);
}).map((element) => element.outerHTML)"""


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_page_is_accessible(visit: Visit, databases: Databases, size: ViewportSize) -> None:
    visitor, seen, faults = visit(viewport=size), 0, list[str]()
    for name in tour(visitor, databases):
        seen += 1
        faults.extend(f"{name}: {fault}" for fault in faults_of(visitor, size))
    assert seen > 45
    assert faults == []


def faults_of(visitor: Visitor, size: ViewportSize) -> Iterator[str]:
    """Yield what is wrong with the page that is open."""
    yield from (f"too small: {target}" for target in visitor.evaluate(SMALL))
    for scheme in ("light", "dark"):
        visitor.page.emulate_media(color_scheme=scheme)
        yield from (f"{scheme}: {violation}" for violation in axe.violations(visitor.page))
    if size == PHONE:
        for width in NARROW:
            visitor.page.set_viewport_size({"width": width, "height": 640})
            yield from [f"{over} pixels wider than {width}" for over in [visitor.evaluate(TOO_WIDE)] if over]
        visitor.page.set_viewport_size(size)
