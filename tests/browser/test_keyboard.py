"""Everything works with the keyboard alone, and the focus is always seen."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.visitor import Visit, Visitor

# What has the focus: its text or label, whether it is inside the window, and whether an outline shows it.
FOCUS = """() => {
    const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
    const label = element.labels?.[0]?.innerText ?? element.innerText;
    return {
        name: (element.getAttribute("aria-label") ?? label ?? "").replace(/\\s+/g, " ").trim(),
        tag: element.tagName,
        shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
            && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight,
    };
}"""
MOST_TABS = 80


class Typist:
    """A visitor without a mouse."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.keys = visitor.page.keyboard

    def tab_to(self, name: str, tag: str) -> None:
        """Press Tab until the element has the focus; each one on the way must be seen."""
        for _ in range(MOST_TABS):
            self.keys.press("Tab")
            focus = self.visitor.evaluate(FOCUS)
            assert focus["tag"] == "BODY" or focus["shown"], focus
            if focus["name"].startswith(name) and focus["tag"] == tag:
                return
        raise AssertionError(f"Tab never reaches {name}")

    def type_into(self, name: str, text: str) -> None:
        self.tab_to(name, "INPUT")
        self.keys.press("Control+A")
        self.keys.type(text)

    def activate(self, name: str, tag: str = "A", key: str = "Enter") -> None:
        """Go to a link or button, and press it."""
        self.tab_to(name, tag)
        with self.visitor.page.expect_navigation():
            self.keys.press(key)


def test_keyboard_alone_places_an_order(visit: Visit) -> None:
    visitor = visit()
    typist = Typist(visitor)
    visitor.open("/")
    typist.type_into("Search the shop", "keyboard")
    typist.keys.press("Enter")
    expect(visitor.page.locator("h1")).to_have_text("Results for “keyboard”")
    typist.activate("Mechanical Keyboard")
    typist.activate("Add to basket", "BUTTON", "Space")
    visitor.sees("is in your basket")
    typist.activate("Go to checkout", "BUTTON")
    typist.activate("Create an account")
    typist.type_into("Username", visitor.username)
    typist.type_into("Password", visitor.password)
    typist.activate("Create the account", "BUTTON")
    typist.type_into("Email", visitor.email)
    typist.type_into("Street", "Unter den Linden 12")
    typist.type_into("City", "Berlin")
    typist.tab_to("Country", "SELECT")
    typist.keys.type("Germany")
    expect(visitor.page.locator("select[name=country]")).to_have_value("DE")
    typist.activate("Place the order", "BUTTON", "Space")
    visitor.sees("Thank you!")


def test_keyboard_chooses_a_sort_order_with_the_arrows(visit: Visit) -> None:
    visitor = visit()
    visitor.open("/shop")
    typist = Typist(visitor)
    typist.tab_to("Sort by", "SELECT")
    typist.keys.press("ArrowDown")
    expect(visitor.page).to_have_url(visitor.url("/shop?sort=name"))


def test_first_tab_offers_to_skip_to_the_content(visit: Visit) -> None:
    visitor = visit()
    visitor.open("/shop/products/p1")
    typist = Typist(visitor)
    typist.tab_to("Skip to the content", "A")
    typist.keys.press("Enter")
    typist.keys.press("Tab")
    assert visitor.evaluate("() => !!document.activeElement.closest('main')")


def test_errors_of_a_form_get_the_focus_and_lead_to_their_field(visit: Visit) -> None:
    visitor = visit()
    visitor.expects(400)
    visitor.open("/account/sign-up")
    visitor.fill(username="a", password="violet-harbour-42")
    visitor.press("Create the account")
    assert "Please check" in visitor.evaluate(FOCUS)["name"]
    typist = Typist(visitor)
    typist.tab_to("Username", "A")
    typist.keys.press("Enter")
    assert visitor.evaluate("() => document.activeElement.id") == "username"
