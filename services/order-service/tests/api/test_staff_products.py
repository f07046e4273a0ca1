"""What staff do with products."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.auth.roles import STAFF
from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.catalog.import_file import Product

HEADER = "id,name,description,category,price,currency,stock\n"
SAM = bearer("u-sam", "sam", roles=(STAFF,))
MUG = {"id": "mug", "name": "Mug", "category": "Kitchen", "price": 12.5, "currency": "EUR", "stock": 5}
WHOLE = {
    "id": "mug", "name": "Mug", "description": "", "category": "Kitchen", "price": 12.5, "currency": "EUR", "stock": 5,
    "active": True, "images": [], "tax_class": "standard", "group": None, "options": {},
}  # fmt: skip
DIFFERENT = """
SELECT id FROM products
WHERE stock <> (SELECT coalesce(sum(units), 0) FROM stock_movements WHERE product_id = products.id)
"""


@pytest.fixture
def staff(client: FlaskClient) -> Callable[..., Any]:
    """Send a request of the staff member Sam."""

    def send(method: str, path: str, body: Any = None, **options: Any) -> Any:
        return client.open(f"/admin/products{path}", method=method, json=body, headers=SAM, **options)

    return send


@pytest.fixture
def upload(client: FlaskClient) -> Callable[..., Any]:
    def upload(content: str | bytes, content_type: str = "text/csv", **query: str) -> Any:
        return client.post(
            "/admin/products/import", data=content, content_type=content_type, query_string=query, headers=SAM
        )

    return upload


def audit(db: Database) -> list[Any]:
    return list(db.fetch_all("SELECT staff_name, action, subject, before, after FROM audit_entries ORDER BY id"))


def test_created_product_is_sold_and_noted(client: FlaskClient, staff: Callable[..., Any], db: Database) -> None:
    answer = staff("POST", "", MUG)
    assert (answer.status_code, answer.json) == (201, WHOLE)
    assert answer.headers["Location"] == "/admin/products/mug"
    assert client.get("/products?q=mug").json[0]["available"] == 5  # type: ignore[index]
    assert audit(db) == [("sam", "product.create", "mug", None, WHOLE)]
    assert db.fetch_all(DIFFERENT) == []


def test_variant_has_images_group_and_options(client: FlaskClient, staff: Callable[..., Any]) -> None:
    more = {"images": ["https://a.example/1.png"], "group": "mugs", "options": {"Size": "L"}, "tax_class": "reduced"}
    assert staff("POST", "", MUG | more).json == WHOLE | more
    public: Any = client.get("/products/mug").json
    assert {name: public[name] for name in ("images", "group", "options")} == {
        name: more[name] for name in ("images", "group", "options")
    }
    staff("POST", "", MUG | {"id": "other"})
    assert "group" not in client.get("/products/other").json  # type: ignore[operator]
    assert [product["id"] for product in client.get("/products?group=mugs").json] == ["mug"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "a/b"}, "id: an id has letters, digits, spaces and . _ - +, because it stands in web addresses"),
        ({"price": 1980.5, "currency": "JPY"}, "price: JPY has no decimals: round the amount"),
        ({"price": 1.2505, "currency": "KWD"}, "price: KWD has at most 3 decimals: round the amount"),
        ({"price": -1}, "price: an amount is a number of digits: write one such as 19.99"),
        ({"price": True}, "price: "),
        ({"price": 1e300}, "price: an amount has at most nine digits"),
        ({"currency": "EUT"}, "currency: not a currency code of ISO 4217: write a code such as EUR"),
        ({"stock": -1}, "stock: "),
        ({"images": ["ftp://a"]}, "images.0: an image is an address"),
        ({"options": {"a=b": "c"}}, "options: an option holds no ; and no ="),
        ({"name": ""}, "name: must not be empty"),
        ({"description": "a\x00b"}, "description: the text contains U+0000"),
    ],
)
def test_bad_member_is_refused_with_a_way_forward(
    client: FlaskClient, staff: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    answer = staff("POST", "", MUG | changes)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert answer.json["error"].startswith(message)
    assert client.get("/products").json == []


@pytest.mark.parametrize(
    ("price", "currency", "written"), [(1980, "JPY", "1980"), (1.25, "KWD", "1.250"), ("19.90", "EUR", "19.90")]
)
def test_price_has_the_decimals_of_its_currency(
    *,
    client: FlaskClient,
    staff: Callable[..., Any],
    place: Callable[..., Any],
    price: Any,
    currency: str,
    written: str,
) -> None:
    assert staff("POST", "", MUG | {"price": price, "currency": currency}).status_code == 201
    assert f'"price":{written},' in client.get("/products/mug").text
    order = place(mug=2)
    assert f'"unit_price":{written},' in order.text
    assert order.json["total"] == float(written) * 2


def test_second_product_of_an_id_is_refused_with_409(staff: Callable[..., Any], db: Database) -> None:
    staff("POST", "", MUG)
    answer = staff("POST", "", MUG | {"name": "Other"})
    assert (answer.status_code, answer.json["code"]) == (409, "product_exists")
    assert len(audit(db)) == 1


def test_changed_price_leaves_sold_stock_sold(
    client: FlaskClient, staff: Callable[..., Any], place: Callable[..., Any], db: Database
) -> None:
    staff("POST", "", MUG)
    place(mug=3)
    answer = staff("PATCH", "/mug", {"price": 13, "currency": "EUR"})
    assert (answer.status_code, answer.json) == (200, WHOLE | {"price": 13.0, "stock": 2})
    assert audit(db)[-1] == (
        *("sam", "product.change", "mug"),
        *(WHOLE | {"stock": 2}, WHOLE | {"stock": 2, "price": 13.0}),
    )
    assert db.fetch_all(DIFFERENT) == []


def test_changed_name_is_found_at_once(client: FlaskClient, staff: Callable[..., Any]) -> None:
    staff("POST", "", MUG)
    staff("PATCH", "/mug", {"name": "Beaker", "description": "Of\nclay"})
    assert [len(client.get(f"/products?q={word}").json) for word in ("beaker", "clay")] == [1, 1]  # type: ignore[arg-type]
    assert client.get("/products/mug").json["description"] == "Of\nclay"  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"price": 5}, "price: send the currency with it"),
        ({"price": 5.001, "currency": "EUR"}, "price: EUR has at most 2 decimals: round the amount"),
        ({"currency": "JPY"}, "price: send it with the currency"),
        ({"stock": 5}, "stock: "),
        ({"name": None}, "name: "),
        ({"category": " "}, "category: must not be empty"),
    ],
)
def test_bad_change_is_refused(staff: Callable[..., Any], db: Database, body: dict[str, Any], message: str) -> None:
    staff("POST", "", MUG)
    answer = staff("PATCH", "/mug", body)
    assert answer.status_code == 400
    assert answer.json["error"].startswith(message)
    assert staff("GET", "/mug").json == WHOLE
    assert len(audit(db)) == 1


def test_group_is_removed_by_null_and_nothing_changes_nothing(staff: Callable[..., Any], db: Database) -> None:
    staff("POST", "", MUG | {"group": "mugs", "options": {"Size": "L"}})
    assert staff("PATCH", "/mug", {"group": None, "options": {}}).json == WHOLE
    assert staff("PATCH", "/mug", {}).json == WHOLE
    assert len(audit(db)) == 2


def test_inactive_product_is_neither_shown_nor_sold(
    client: FlaskClient, staff: Callable[..., Any], place: Callable[..., Any]
) -> None:
    staff("POST", "", MUG)
    order = place(mug=1).json
    assert staff("PATCH", "/mug", {"active": False}).json["active"] is False
    assert (client.get("/products").json, client.get("/products?q=mug").json) == ([], [])
    assert client.get("/products/mug").status_code == 404
    assert client.get("/shop/products/mug", headers={"Accept": "text/html"}).status_code == 404
    refused = place(mug=1)
    assert (refused.status_code, refused.json["code"]) == (400, "unknown_product")
    assert client.get(f"/orders/{order['order_id']}", headers=bearer("u-alice", "alice")).json == order
    assert [product["id"] for product in staff("GET", "?active=false").json] == ["mug"]
    staff("PATCH", "/mug", {"active": True})
    assert place(mug=1).status_code == 201


def test_inactive_products_are_not_counted(client: FlaskClient, staff: Callable[..., Any]) -> None:
    staff("POST", "", MUG)
    staff("POST", "", MUG | {"id": "lamp", "category": "Home", "active": False})
    assert client.get("/categories").json == [{"name": "Kitchen", "products": 1}]


def test_cancelled_order_returns_units_of_an_inactive_product(
    client: FlaskClient, staff: Callable[..., Any], place: Callable[..., Any], db: Database
) -> None:
    staff("POST", "", MUG)
    location = place(mug=2).headers["Location"]
    staff("PATCH", "/mug", {"active": False})
    assert client.post(f"{location}/cancel", headers=bearer("u-alice", "alice")).status_code == 200
    assert staff("GET", "/mug").json["stock"] == 5
    assert db.fetch_all(DIFFERENT) == []


def test_every_movement_of_the_stock_is_listed(
    client: FlaskClient, staff: Callable[..., Any], place: Callable[..., Any], upload: Callable[..., Any]
) -> None:
    staff("POST", "", MUG)
    order = place(mug=2)
    client.post(f"{order.headers['Location']}/cancel", headers=bearer("u-alice", "alice"))
    staff("POST", "/mug/stock", {"units": -1, "reason": "broken"})
    upload(HEADER + "mug,Mug,,Kitchen,12.50,EUR,+4\n")
    found = staff("GET", "/mug/stock-movements").json
    order_id = order.json["order_id"]
    assert [(each["kind"], each["units"], each["order_id"], each["reason"]) for each in found] == [
        ("import", 4, None, None),
        ("adjustment", -1, None, "broken"),
        ("cancellation", 2, order_id, None),
        ("sale", -2, order_id, None),
        ("adjustment", 5, None, "new product"),
    ]
    assert sum(each["units"] for each in found) == staff("GET", "/mug").json["stock"] == 8


def test_pages_of_movements_follow_each_other(client: FlaskClient, staff: Callable[..., Any]) -> None:
    staff("POST", "", MUG)
    for number in range(4):
        staff("POST", "/mug/stock", {"units": 1, "reason": f"delivery {number}"})
    link, reasons = "/admin/products/mug/stock-movements?limit=2", []
    while link:
        answer = client.get(link, headers=SAM)
        reasons += [each["reason"] for each in answer.json]  # type: ignore[union-attr]
        link = answer.headers.get("Link", "").removeprefix("<").partition(">")[0]
    assert reasons == ["delivery 3", "delivery 2", "delivery 1", "delivery 0", "new product"]


@pytest.mark.parametrize("units", [-6, 1_000_000_000])
def test_adjustment_out_of_range_is_refused_with_409(staff: Callable[..., Any], db: Database, units: int) -> None:
    staff("POST", "", MUG)
    answer = staff("POST", "/mug/stock", {"units": units, "reason": "count"})
    assert (answer.status_code, answer.json["code"], answer.json["stock"]) == (409, "stock_out_of_range", 5)
    assert answer.json["error"] == f"the stock would become {5 + units}: it is 0 to 1000000000"
    assert (staff("GET", "/mug").json["stock"], len(audit(db))) == (5, 1)


@pytest.mark.parametrize(
    "body", [{"units": 0, "reason": "x"}, {"units": 1}, {"units": 1, "reason": " "}, {"reason": "x"}]
)
def test_adjustment_needs_units_and_a_reason(staff: Callable[..., Any], body: dict[str, Any]) -> None:
    staff("POST", "", MUG)
    assert staff("POST", "/mug/stock", body).status_code == 400
    assert staff("GET", "/mug").json["stock"] == 5


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/none", None),
        ("PATCH", "/none", {"name": "x"}),
        ("PATCH", "/none", {}),
        ("POST", "/none/stock", {"units": 1, "reason": "x"}),
        ("GET", "/none/stock-movements", None),
    ],
)
def test_product_that_is_not_there_is_answered_404(
    staff: Callable[..., Any], method: str, path: str, body: Any
) -> None:
    assert staff(method, path, body).status_code == 404


def test_racing_orders_and_adjustments_keep_the_sum(app: Flask, staff: Callable[..., Any], db: Database) -> None:
    staff("POST", "", MUG | {"stock": 100})
    order = ("/orders", bearer("u-alice", "alice"), {"items": [{"product_id": "mug"}]})
    adjust = ("/admin/products/mug/stock", SAM, {"units": -1, "reason": "broken"})

    def send(request: tuple[str, dict[str, str], Any]) -> int:
        return app.test_client().post(request[0], json=request[2], headers=request[1]).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, [order, adjust] * 10)) == [200] * 10 + [201] * 10
    assert staff("GET", "/mug").json["stock"] == 80
    assert db.fetch_all(DIFFERENT) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("in_stock=true", ["a", "c"]),
        ("in_stock=false", ["b"]),
        ("price_min=10", ["b", "c"]),
        ("price_max=10", ["a", "b"]),
        ("price_min=10&price_max=10.00", ["b"]),
        ("price_min=10.01&in_stock=true&category=Things", ["c"]),
        ("q=product&price_max=5", ["a"]),
        ("price_min=20&price_max=10", []),
    ],
)
def test_list_is_filtered_by_stock_and_price(
    client: FlaskClient, stock: Callable[..., None], query: str, expected: list[str]
) -> None:
    stock(a=1, price_minor=500)
    stock(b=0, price_minor=1000)
    stock(c=1, price_minor=2000, currency="JPY")
    assert [product["id"] for product in client.get(f"/products?{query}").json] == expected  # type: ignore[union-attr]


@pytest.mark.parametrize("query", ["in_stock=maybe", "price_min=-1", "price_min=1,5", "price_max=x", "price_max=1e3"])
def test_bad_filter_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/products?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")  # type: ignore[index]


def test_import_reports_what_it_changed(upload: Callable[..., Any], staff: Callable[..., Any], db: Database) -> None:
    staff("POST", "", MUG)
    answer = upload(HEADER + "mug,Mug,,Kitchen,13,EUR,9\nlamp,Lamp,,Home,5,EUR,3\n", stock="set")
    assert answer.status_code == 200
    assert answer.json == {
        "dry_run": False, "added": 1, "updated": 1, "unchanged": 0, "deactivated": 0, "stock_changed": 2,
        "notes": ["Read as UTF-8, separated by commas."], "refused": 0, "rows": [],
        "changes": [
            {"line": 2, "product_id": "mug", "change": "updated", "fields": {
                "price": {"before": 12.5, "after": 13.0}, "stock": {"before": 5, "after": 9}}},
            {"line": 3, "product_id": "lamp", "change": "added", "fields": {
                name: {"before": None, "after": value}
                for name, value in (WHOLE | {"name": "Lamp", "category": "Home", "price": 5.0, "stock": 3}).items()
                if name != "id"}},
        ],
    }  # fmt: skip
    assert (staff("GET", "/mug").json["stock"], audit(db)[-1][:3]) == (9, ("sam", "catalog.import", "catalog"))
    assert db.fetch_all(DIFFERENT) == []


def test_preview_shows_changes_beside_refused_rows(upload: Callable[..., Any], staff: Callable[..., Any]) -> None:
    staff("POST", "", MUG)
    rows = "mug,Mug,,Kitchen,13,EUR,9\nlamp,Lamp,,,5,EUR,x\nmug2,Mug,,Kitchen,1,EUR,-1\n"
    answer = upload(HEADER + rows, dry_run="true")
    assert (answer.status_code, answer.json["updated"], answer.json["refused"]) == (200, 1, 3)
    assert [change["product_id"] for change in answer.json["changes"]] == ["mug"]
    assert [(row["line"], row["column"], row["value"]) for row in answer.json["rows"]] == [
        (3, "category", ""),
        (3, "stock", "x"),
        (4, "stock", "-1"),
    ]
    assert staff("GET", "/mug").json == WHOLE


def test_file_with_a_bad_row_is_refused_with_422(
    upload: Callable[..., Any], staff: Callable[..., Any], db: Database
) -> None:
    staff("POST", "", MUG)
    answer = upload(HEADER + "mug,Mug,,Kitchen,13,EUR,9\nlamp,Lamp,,Home,5,EUT,3\n")
    assert (answer.status_code, answer.json["code"], answer.json["refused"]) == (422, "bad_catalog_file", 1)
    assert answer.json["rows"] == [
        {
            "line": 3,
            "column": "currency",
            "value": "EUT",
            "error": "not a currency code of ISO 4217: write a code such as EUR",
        }
    ]
    assert (staff("GET", "/mug").json, len(audit(db))) == (WHOLE, 1)


@pytest.mark.parametrize(
    ("content", "content_type", "query", "status", "code"),
    [
        ("{}", "application/json", {}, 415, "unsupported_media_type"),
        ("", "text/csv", {}, 422, "bad_catalog_file"),
        (b"\xff\xfe\x00", "text/csv", {}, 422, "bad_catalog_file"),
        ("id\n", "text/csv", {"encoding": "zlib"}, 400, "invalid_request"),
        ("id\n", "text/csv", {"stock": "replace"}, 400, "invalid_request"),
        (b"x" * (16 * 1024 * 1024 + 1), "text/csv", {}, 413, "body_too_large"),
    ],
)
def test_what_is_no_catalogue_is_refused(
    *, upload: Callable[..., Any], content: Any, content_type: str, query: dict[str, str], status: int, code: str
) -> None:
    answer = upload(content, content_type, **query)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_export_is_what_the_import_reads(
    client: FlaskClient, upload: Callable[..., Any], staff: Callable[..., Any], stock: Callable[..., None]
) -> None:
    stock(Product("Becher-grün", "Mug", "", "Kitchen", 1250, "EUR", 5))
    answer = staff("GET", "/export")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines()[1] == "Becher-grün,Mug,,Kitchen,12.50,EUR,5,yes,,standard,,"
    assert upload(answer.data, dry_run="true").json["unchanged"] == 1
    assert client.get("/admin/products/export", headers=bearer("u-alice", "alice")).status_code == 403


@pytest.mark.parametrize("identifier", ["Becher-grün", "AL 25854", "-A100", "_MUG", "a+b", "緑茶"])
def test_product_with_any_id_is_shown_put_into_the_basket_and_ordered(
    visitor: FlaskClient, client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], identifier: str
) -> None:
    stock(Product(identifier, "Mug", "", "Kitchen", 1250, "EUR", 5))
    assert client.get(f"/products/{identifier}").json["id"] == identifier  # type: ignore[index]
    assert visitor.get(f"/shop/products/{identifier}").status_code == 200
    visitor.post(
        "/shop/basket", data={"product_id": identifier, "do": "add"}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert "€12.50" in visitor.get("/shop/basket").text
    assert place(**{identifier: 2}).status_code == 201


def test_adjustment_with_the_same_key_moves_units_once(app: Flask, staff: Callable[..., Any], db: Database) -> None:
    staff("POST", "", MUG | {"stock": 100})
    body, headers = {"units": -3, "reason": "broken"}, SAM | {"Idempotency-Key": "k1"}

    def send(_: int) -> Any:
        return app.test_client().post("/admin/products/mug/stock", json=body, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {(answer.status_code, answer.json["stock"]) for answer in answers} == {(200, 97)}
    assert len(audit(db)) == 2
    assert db.fetch_all(DIFFERENT) == []
    other = app.test_client().post("/admin/products/mug/stock", json=body | {"units": -4}, headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")  # type: ignore[index]
