"""Cookies of the pages, and the basket in one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Response

from chassis.http.openapi import Api
from chassis.pages.basket import MOST_LINES, BasketFull, Line, read_basket, write_basket
from chassis.pages.cookies import ACCOUNT_PATH, BASKET, DEVICE, REFRESH, RENEWED, TOKEN, Cookie


def sent(start: Callable[..., Api], cookie: Cookie, **settings: object) -> tuple[str, set[str]]:
    """Return the name of a cookie as sent to the browser, and its attributes."""
    response, app = Response(), start(**settings)
    cookie.set(response, app.services.settings, "value", 60)
    pair, *attributes = response.headers["Set-Cookie"].split("; ")
    name, _, value = pair.partition("=")
    assert value == "value"
    return name, {attribute for attribute in attributes if not attribute.startswith("Expires=")}


@pytest.mark.parametrize("cookie", [TOKEN, BASKET, RENEWED, REFRESH, DEVICE], ids=lambda cookie: cookie.name)
def test_cookie_is_unreadable_for_scripts_and_stays_with_the_shop(start: Callable[..., Api], cookie: Cookie) -> None:
    path = ACCOUNT_PATH if cookie in {REFRESH, DEVICE} else "/"
    flags = {"HttpOnly", "SameSite=Lax", f"Path={path}", "Max-Age=60"}
    assert sent(start, cookie) == (f"shop-{cookie.name}", flags)
    prefix = "__Host-" if path == "/" else "__Secure-"
    assert sent(start, cookie, app_env="prod") == (f"{prefix}{cookie.name}", flags | {"Secure"})


def test_a_cookie_is_deleted_under_the_path_where_it_was_set(start: Callable[..., Api]) -> None:
    response = Response()
    REFRESH.delete(response, start().services.settings)
    assert response.headers["Set-Cookie"].startswith("shop-refresh=; ")
    assert {"Max-Age=0", "Path=/account"} <= set(response.headers["Set-Cookie"].split("; "))


def test_of_several_values_of_a_name_three_are_read(start: Callable[..., Api]) -> None:
    app = start()
    sent = "; ".join(f"shop-refresh={number}" for number in range(5))
    with app.test_request_context("/", headers={"Cookie": sent}):
        assert REFRESH.read_all(app.services.settings) == ["0", "1", "2"]
    with app.test_request_context("/"):
        assert REFRESH.read_all(app.services.settings) == []


def basket(app: Api, text: str) -> list[Line]:
    with app.test_request_context("/", headers={"Cookie": f"shop-basket={text}"}):
        return read_basket(app.services.settings)


def written(app: Api, lines: list[Line]) -> str:
    response = Response()
    with app.test_request_context("/"):
        write_basket(response, app.services.settings, lines)
    return response.headers["Set-Cookie"].partition(";")[0].removeprefix("shop-basket=")


def test_basket_is_read_as_it_was_written(start: Callable[..., Api]) -> None:
    app, lines = start(), [Line("p1", 2, 1999), Line("A.b-c_9", 999, 0)]
    assert basket(app, written(app, lines)) == lines
    assert written(app, []) == ""


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "|",
        "p1",
        "p1:2",
        "p1:2:3:4",
        "p1:-1:5",
        "p1:1.5:5",
        "p1:0:5",
        "p1:000:5",
        "p1:1000:5",
        "p1:1:-5",
        "p1:1:9999999999999",
        "p1:\u0661:5",
        "p+1:1:5",
        "p/1:1:5",
        "%00:1:5",
        f"{'p' * 101}:1:5",
        '"',
        '"p1:1:5',
        "<script>:1:5",
        "\xff",
    ],
)
def test_lines_that_no_shop_wrote_are_left_out(start: Callable[..., Api], garbage: str) -> None:
    app = start()
    assert basket(app, garbage) == []
    if '"' not in garbage:
        assert basket(app, f"{garbage}|p2:1:5") == [Line("p2", 1, 5)]


def test_of_two_lines_of_a_product_the_last_counts(start: Callable[..., Api]) -> None:
    assert basket(start(), "p1:1:5|p2:1:5|p1:3:7") == [Line("p1", 3, 7), Line("p2", 1, 5)]


def test_a_cookie_that_somebody_made_longer_is_cut(start: Callable[..., Api]) -> None:
    assert len(basket(start(), "|".join(f"p{number}:1:5" for number in range(1000)))) == MOST_LINES


def test_a_basket_takes_as_many_products_as_an_order_and_fits_a_cookie(start: Callable[..., Api]) -> None:
    app, lines = start(), [Line(f"p{number}", 1, 999) for number in range(MOST_LINES)]
    assert basket(app, written(app, lines)) == lines
    with pytest.raises(BasketFull):
        written(app, [*lines, Line("one-more", 1, 1)])
    with pytest.raises(BasketFull):
        written(app, [Line(f"{'p' * 96}{number}", 1, 999) for number in range(10, 44)])
