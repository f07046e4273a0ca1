"""What changes while it is in the basket is shown before it is ordered; nothing is ordered twice."""

from __future__ import annotations

from itertools import count

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

from browser.database import Databases
from browser.visitor import Visit, Visitor

SET_STOCK = "UPDATE products SET stock = %(stock)s WHERE id = %(id)s"
SET_PRICE = "UPDATE products SET price_minor = %(price)s WHERE id = %(id)s"
FULL = 50
_numbers = count()


@pytest.fixture(params=[True, False], ids=["JavaScript", "no JavaScript"])
def customer(request: pytest.FixtureRequest, visit: Visit) -> Visitor:
    return visit(java_script_enabled=request.param)


@pytest.fixture
def lamp(databases: Databases) -> str:
    """Return the id of a product of which there are ten, at 10.00."""
    return databases.add_product(f"lamp-{next(_numbers)}", stock=10)


def at_the_checkout(customer: Visitor, lamp: str, qty: int = 1) -> None:
    """Lead the customer to the button that places the order."""
    customer.join()
    customer.add(lamp, qty)
    customer.press("Go to checkout")
    customer.fill_address()


def stock(databases: Databases, lamp: str) -> int:
    return int(databases.query("order_service", "SELECT stock FROM products WHERE id = %(id)s", id=lamp)[0][0])


def test_sold_out_product_is_marked_and_not_ordered(customer: Visitor, databases: Databases, lamp: str) -> None:
    at_the_checkout(customer, lamp)
    databases.run("order_service", SET_STOCK, id=lamp, stock=0)
    customer.press("Place the order")
    assert customer.heading == "Basket"
    customer.sees("Sold out. Please remove it.")
    expect(customer.button("Go to checkout")).to_have_count(0)
    assert databases.orders(lamp) == 0

    customer.press("Remove Test lamp")
    customer.sees("Your basket is empty")
    customer.open(f"/shop/products/{lamp}")
    customer.sees("Sold out")
    expect(customer.button("Add to basket")).to_have_count(0)


def test_quantity_above_the_stock_is_marked_until_it_is_reduced(
    customer: Visitor, databases: Databases, lamp: str
) -> None:
    at_the_checkout(customer, lamp, 5)
    databases.run("order_service", SET_STOCK, id=lamp, stock=3)
    customer.press("Place the order")
    customer.sees("Only 3 left. Please reduce the quantity.")
    assert databases.orders(lamp) == 0

    customer.set_quantity("Test lamp", 3)
    customer.press("Go to checkout")
    customer.fill_address()
    customer.press("Place the order")
    customer.sees("Thank you!")
    assert stock(databases, lamp) == 0


def test_changed_price_is_shown_before_it_is_paid(customer: Visitor, databases: Databases, lamp: str) -> None:
    customer.expects(409)
    at_the_checkout(customer, lamp, 2)
    databases.run("order_service", SET_PRICE, id=lamp, price=1250)
    customer.press("Place the order")
    expect(customer.page.get_by_role("alert")).to_contain_text("Please look at the total again")
    customer.sees("€25.00")
    expect(customer.page.locator("input[name=city]")).to_have_value("Berlin")
    assert databases.orders(lamp) == 0

    customer.press("Place the order")
    customer.sees("Thank you!")
    customer.sees("€25.00")


def test_basket_tells_the_old_price(customer: Visitor, databases: Databases, lamp: str) -> None:
    customer.add(lamp)
    databases.run("order_service", SET_PRICE, id=lamp, price=1250)
    customer.open("/shop/basket")
    customer.sees("The price was €10.00 when you added it.")
    customer.sees("€12.50")


def test_product_that_is_gone_is_named_and_removed(customer: Visitor, databases: Databases, lamp: str) -> None:
    customer.add("p1")
    customer.add(lamp)
    databases.run("order_service", "DELETE FROM products WHERE id = %(id)s", id=lamp)
    customer.open("/shop/basket")
    customer.sees("One product in your basket is no longer sold.")
    expect(customer.button("Go to checkout")).to_have_count(0)
    customer.press("Remove what is no longer sold")
    expect(customer.button("Go to checkout")).to_be_visible()
    assert customer.basket_count() == "1"


def test_double_click_places_one_order(customer: Visitor, databases: Databases, lamp: str) -> None:
    at_the_checkout(customer, lamp)
    customer.button("Place the order").dblclick()
    customer.page.wait_for_url("**/shop/orders/**")
    customer.page.wait_for_load_state()
    assert databases.orders(lamp) == 1


def test_going_back_after_the_order_places_no_second_one(customer: Visitor, databases: Databases, lamp: str) -> None:
    at_the_checkout(customer, lamp)
    customer.press("Place the order")
    customer.sees("Thank you!")
    try:
        customer.page.go_back()
    except PlaywrightError:  # without JavaScript that page was the answer to a form: Chromium asks first
        customer.page.wait_for_url("chrome-error://**")
        customer.open("/shop/checkout")
    if customer.button("Place the order").count():
        customer.press("Place the order")
    assert customer.heading == "Basket"
    customer.sees("Your basket is empty")
    assert databases.orders(lamp) == 1


def test_order_that_was_sent_again_is_the_first_one(visit: Visit, databases: Databases, lamp: str) -> None:
    """Send the same form in two tabs, as people do whose first one seems to hang."""
    customer = visit()
    at_the_checkout(customer, lamp)
    basket = next(cookie["value"] for cookie in customer.context.cookies() if cookie["name"] == "shop-basket")
    form = customer.main.locator("form[action='/shop/checkout']")
    fields = form.evaluate("(form) => Object.fromEntries(new FormData(form))")
    customer.press("Place the order")
    first = customer.path
    set_basket(customer, basket)
    customer.open("/shop")
    customer.main.evaluate(
        """(main, fields) => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = "/shop/checkout";
            for (const [name, value] of Object.entries(fields)) {
                form.append(Object.assign(document.createElement("input"), { name, value }));
            }
            form.append(Object.assign(document.createElement("button"), { textContent: "Again" }));
            main.prepend(form);
        }""",
        fields,
    )
    customer.press("Again")
    assert customer.path == first
    assert databases.orders(lamp) == 1


def test_full_basket_takes_no_other_product(visit: Visit, databases: Databases, lamp: str) -> None:
    customer = visit()
    customer.expects(409)
    set_basket(customer, "|".join(f"p{number}:1:100" for number in range(1, FULL + 1)))
    customer.add(lamp)
    expect(customer.page.get_by_role("alert")).to_contain_text("Your basket is full.")
    assert customer.basket_count() == str(FULL)

    customer.press("Remove Mechanical Keyboard")
    customer.add(lamp)
    customer.sees("Test lamp is in your basket.")


@pytest.mark.parametrize(
    "tampered",
    [
        "p1",
        "p1:1",
        "p1:-1:1999",
        "p1:0:1999",
        "p1:1000:1999",
        "p1:999:999999999999",
        "p1:1:1999|p1:2:1",
        "|||",
        "%00:1:1",
        "../../etc/passwd:1:1",
        "p1'%20OR%201=1--:1:1",
        "<script>:1:1",
        "nowhere:1:1",
        "A" * 3000,
        "|".join(f"p{number}:1:1" for number in range(1, 200)),
        '"p1:1:1999',
        "p1:1:1999\\073",
        "é:1:1",
    ],
)
def test_tampered_basket_never_breaks_a_page(visit: Visit, tampered: str) -> None:
    customer = visit()
    customer.expects(409)
    set_basket(customer, tampered)
    for path in ("/shop", "/shop/basket", "/shop/checkout", "/account/sign-in"):
        assert customer.open(path).status == 200
    customer.add("p2")
    assert customer.heading == "Basket"


def set_basket(customer: Visitor, value: str) -> None:
    customer.context.add_cookies([{"name": "shop-basket", "value": value, "url": customer.url("/")}])
