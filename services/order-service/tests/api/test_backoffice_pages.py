"""The pages of the back office: products, stock, import with its preview, export, audit."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.auth.roles import STAFF, UNPROVEN_STAFF
from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser, field_errors, field_values, messages
from order_service.catalog import import_pages, product_pages
from order_service.catalog.import_file import Product

PRODUCTS = "/backoffice/products"
NASTY = '"><script>alert(1)</script>'
HEADER = "id,name,description,category,price,currency,stock\n"
MUG = {
    "id": "mug", "name": "Mug", "description": "", "category": "Kitchen", "price": "12.50", "currency": "EUR",
    "stock": "5", "images": "", "tax_class": "standard", "group": "", "options": "",
}  # fmt: skip
EVERYTHING = "SELECT p::text FROM products p UNION ALL SELECT a::text FROM audit_entries a ORDER BY 1"


def token(*roles: str) -> str:
    return bearer("u-sam", "sam", roles=roles)["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def sam(app: Api) -> FlaskClient:
    """Return the browser of Sam, who is one of the staff."""
    return browser(app, token(STAFF))


@pytest.fixture
def audit(db: Database) -> Callable[[], list[Any]]:
    """Return who did what to what, newest first."""
    statement = "SELECT staff_name, action, subject FROM audit_entries ORDER BY id DESC"
    return lambda: [tuple(row) for row in db.fetch_all(statement)]


@pytest.fixture
def stored(db: Database) -> Callable[[str], Any]:
    """Return a product's row."""
    return lambda product_id: db.fetch_one("SELECT * FROM products WHERE id = %(id)s", {"id": product_id})


@pytest.fixture
def everything(db: Database) -> Callable[[], list[Any]]:
    """Return all that a refusal must not change."""
    return lambda: [row[0] for row in db.fetch_all(EVERYTHING)]


def names(answer: TestResponse) -> list[str]:
    return [html.unescape(name) for name in re.findall(r'class="named"><a [^>]*>(.*?)</a>', answer.text)]


def hidden(answer: TestResponse, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="(.*?)"', answer.text)
    assert found, name
    return html.unescape(found[1])


def shown_errors(answer: TestResponse) -> list[str]:
    return [html.unescape(text) for text in re.findall(r'<p class="message bad"[^>]*>(.*?)</p>', answer.text)]


def edit(sam: FlaskClient, product_id: str, **changes: str) -> TestResponse:
    """Open the form of a product, change fields, send it."""
    url = f"{PRODUCTS}/{product_id}"
    opened = sam.get(url)
    form = {name: value for name, value in field_values(opened).items() if name in MUG}
    return sam.post(url, data=form | {"version": hidden(opened, "version")} | changes)


def upload(sam: FlaskClient, text: str, **form: str) -> TestResponse:
    return sam.post("/backoffice/import", data={"file": (io.BytesIO(text.encode()), "p.csv"), **form})


def confirm(sam: FlaskClient, preview: TestResponse, **form: str) -> TestResponse:
    kept = {name: hidden(preview, name) for name in ("packed", "seen")}
    return sam.post("/backoffice/import", data={**kept, "do": "import", **form})


@pytest.mark.parametrize(
    ("roles", "says"),
    [((), "This is for the staff of the shop only."), ((UNPROVEN_STAFF,), "Staff need a second factor here: ")],
)
def test_others_than_staff_get_a_page_that_says_why(app: Api, roles: tuple[str, ...], says: str) -> None:
    answer = browser(app, token(*roles)).get(PRODUCTS)
    assert answer.status_code == 403
    assert says in answer.text


def test_strangers_are_led_to_sign_in_and_back(visitor: FlaskClient) -> None:
    answer = visitor.get(f"{PRODUCTS}?q=mug")
    assert answer.headers["Location"] == "/account/sign-in?next=%2Fbackoffice%2Fproducts%3Fq%3Dmug"


def test_without_products_the_list_says_so(sam: FlaskClient) -> None:
    assert "No products yet" in sam.get(PRODUCTS).text


def test_products_that_run_low_are_listed(sam: FlaskClient, stock: Callable[..., None]) -> None:
    stock(Product("old", "Old", "", "Home", 100, "EUR", 0, active=False), p1=5, p2=6, p3=0)
    assert names(sam.get(f"{PRODUCTS}?in_stock=low")) == ["Product p1", "Product p3"]


def test_products_are_found_also_inactive_ones(sam: FlaskClient, stock: Callable[..., None]) -> None:
    lamp = Product("lamp", "Lamp", "", "Home", 1980, "JPY", 0, active=False)
    stock(lamp, p1=5)
    assert names(sam.get(PRODUCTS)) == ["Lamp", "Product p1"]
    assert "JP¥1,980<" in sam.get(PRODUCTS).text
    assert names(sam.get(f"{PRODUCTS}?active=false")) == ["Lamp"]
    assert names(sam.get(f"{PRODUCTS}?in_stock=true&category=Things")) == ["Product p1"]
    nothing = sam.get(f"{PRODUCTS}?q=nowhere")
    assert (names(nothing), "Nothing found" in nothing.text) == ([], True)
    assert sam.get(f"{PRODUCTS}?active=perhaps").status_code == 400


def test_the_list_goes_on_on_the_next_page(
    sam: FlaskClient, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_pages, "PAGE_SIZE", 2)
    stock(p1=1, p2=1, p3=1)
    first = sam.get(f"{PRODUCTS}?sort=name")
    following = re.search(r'rel="next" href="(.*?)"', first.text)
    assert following
    assert names(first) == ["Product p1", "Product p2"]
    second = sam.get(html.unescape(following[1]))
    assert names(second) == ["Product p3"]
    assert 'href="/backoffice/products?sort=name">Back to the start' in second.text


def test_a_product_is_added_and_sold(sam: FlaskClient, audit: Callable[..., Any], stored: Callable[..., Any]) -> None:
    options = {"options": "Size=L; Colour=red", "group": "mugs", "images": "https://a.example/1.png"}
    answer = sam.post("/backoffice/new-product", data=MUG | options)
    assert answer.headers["Location"] == f"{PRODUCTS}/mug?done=added"
    assert messages(sam.get(answer.headers["Location"])) == ["Added. It is in the shop now."]
    product = stored("mug")
    assert (product.price_minor, product.stock, product.group_id) == (1250, 5, "mugs")
    assert (product.options, product.images) == ({"Size": "L", "Colour": "red"}, ["https://a.example/1.png"])
    assert audit() == [("sam", "product.create", "mug")]
    assert "Mug" in sam.get("/shop/products/mug").text


@pytest.mark.parametrize(
    ("fields", "status", "errors"),
    [
        ({"price": "12,50"}, 400, {"price": "Decimals follow a point: write 12.50, or say that the file has"}),
        ({"price": "1980.5", "currency": "JPY"}, 400, {"price": "JPY has no decimals: round the amount."}),
        ({"currency": "EUT"}, 400, {"currency": "Not a currency code of ISO 4217: write a code such as EUR."}),
        ({"id": "a/b"}, 400, {"id": "An id has letters, digits, spaces and . _ - +, because it stands in"}),
        ({"id": "taken"}, 409, {"id": "There is a product with this id: change that one, or choose another id."}),
        ({"name": " "}, 400, {"name": "Name is missing."}),
        ({"stock": "many"}, 400, {"stock": "Write a whole number such as 20."}),
        ({"stock": "-1"}, 400, {"stock": ""}),
        ({"options": "L"}, 400, {"options": "Options are written like Size=M; Colour=red."}),
        ({"images": "ftp://a"}, 400, {"images": "An image is an address of at most 1000 characters that begins"}),
        ({"name": "N" * 201, "category": ""}, 400, {"name": "", "category": ""}),
    ],
)
def test_a_refused_product_is_told_beside_its_field(
    *,
    sam: FlaskClient,
    stock: Callable[..., None],
    everything: Callable[..., Any],
    fields: dict[str, str],
    status: int,
    errors: dict[str, str],
) -> None:
    stock(taken=1)
    before = everything()
    answer = sam.post("/backoffice/new-product", data=MUG | fields)
    assert answer.status_code == status
    found = field_errors(answer)
    assert found.keys() == errors.keys()
    assert all(found[name].startswith(text) for name, text in errors.items()), found
    assert everything() == before


def test_a_variant_begins_with_the_values_of_another(sam: FlaskClient, stock: Callable[..., None]) -> None:
    stock(Product("mug", "Mug", "", "Kitchen", 1250, "KWD", 5, options={"Size": "L"}))
    form = field_values(sam.get("/backoffice/new-product?like=mug"))
    assert (form["group"], form["options"], form["price"]) == ("mug", "Size=L", "1.250")
    assert "id" not in form or form["id"] == ""


def test_a_product_is_changed(
    sam: FlaskClient, stock: Callable[..., None], audit: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    stock(p1=5)
    answer = edit(sam, "p1", price="8", name="Better lamp", category="Home")
    assert answer.headers["Location"] == f"{PRODUCTS}/p1?done=saved"
    product = stored("p1")
    assert (product.price_minor, product.name, product.category, product.stock) == (800, "Better lamp", "Home", 5)
    assert audit()[0] == ("sam", "product.change", "p1")
    assert names(sam.get(f"{PRODUCTS}?q=better")) == ["Better lamp"]


def test_a_product_that_somebody_else_changed_is_not_overwritten(
    sam: FlaskClient, stock: Callable[..., None], everything: Callable[..., Any]
) -> None:
    stock(p1=5)
    seen = hidden(sam.get(f"{PRODUCTS}/p1"), "version")
    edit(sam, "p1", price="8")
    before = everything()
    answer = sam.post(f"{PRODUCTS}/p1", data=MUG | {"version": seen, "price": "7"})
    assert answer.status_code == 409
    assert "Somebody has changed this product since you opened it." in answer.text
    assert everything() == before
    assert field_values(answer)["price"] == "7"


@pytest.mark.parametrize("fields", [{"price": "free"}, {"name": ""}, {"options": "="}, {"tax_class": "x" * 51}])
def test_a_refused_change_moves_nothing(
    sam: FlaskClient, stock: Callable[..., None], everything: Callable[..., Any], fields: dict[str, str]
) -> None:
    stock(p1=5)
    before = everything()
    answer = edit(sam, "p1", **fields)
    assert answer.status_code == 400
    assert field_errors(answer).keys() == fields.keys()
    assert everything() == before


def test_a_product_is_deactivated_and_activated(
    sam: FlaskClient, stock: Callable[..., None], audit: Callable[..., Any]
) -> None:
    stock(p1=5)
    sam.post(f"{PRODUCTS}/p1/active", data={"do": "deactivate"})
    assert sam.get("/shop/products/p1").status_code == 404
    assert ">Activate</button>" in sam.get(f"{PRODUCTS}/p1").text
    sam.post(f"{PRODUCTS}/p1/active", data={"do": "activate"})
    assert sam.get("/shop/products/p1").status_code == 200
    assert audit()[:2] == [("sam", "product.change", "p1")] * 2


def test_a_button_without_a_name_changes_nothing(
    sam: FlaskClient, stock: Callable[..., None], everything: Callable[..., Any]
) -> None:
    stock(p1=5)
    before = everything()
    assert sam.post(f"{PRODUCTS}/p1/active", data={}).status_code == 400
    assert everything() == before


def test_variants_stand_beside_each_other(sam: FlaskClient, stock: Callable[..., None]) -> None:
    mug = Product("m", "Mug", "", "Kitchen", 1250, "EUR", 5, group="mugs", options={"Size": "M"})
    stock(mug, mug._replace(id="l", options={"Size": "L"}, active=False))
    page = sam.get(f"{PRODUCTS}/m").text
    assert "<strong>M</strong>" in page
    assert '<a href="/backoffice/products/l">L</a><p>l · inactive</p>' in page


def test_stock_is_adjusted_with_a_reason(
    sam: FlaskClient, stock: Callable[..., None], audit: Callable[..., Any], left: Callable[[str], int]
) -> None:
    stock(p1=5)
    answer = sam.post(f"{PRODUCTS}/p1/stock", data={"units": "-3", "reason": NASTY})
    assert answer.headers["Location"] == f"{PRODUCTS}/p1/stock?done=adjusted"
    page = sam.get(answer.headers["Location"])
    assert (messages(page), left("p1")) == (["Adjusted."], 2)
    assert re.findall(r'class="number who">(.*?)<', page.text) == ["-3", "+5"]
    assert NASTY not in page.text
    assert html.escape(NASTY, quote=False).replace('"', "&#34;") in page.text
    assert audit()[0] == ("sam", "product.stock", "p1")


@pytest.mark.parametrize(
    ("form", "status", "errors"),
    [
        ({"units": "-6", "reason": "broken"}, 409, {"units": "The stock would become -1: it is 0 to 1000000000."}),
        ({"units": "some", "reason": "count"}, 400, {"units": "Write a whole number such as 20."}),
        ({"units": "9" * 12, "reason": "count"}, 400, {"units": ""}),
        ({"units": "3"}, 400, {"reason": "Reason is missing."}),
        ({"reason": "count"}, 400, {"units": "Units is missing."}),
    ],
)
def test_a_refused_adjustment_moves_nothing(
    *,
    sam: FlaskClient,
    stock: Callable[..., None],
    everything: Callable[..., Any],
    form: dict[str, str],
    status: int,
    errors: dict[str, str],
) -> None:
    stock(p1=5)
    before = everything()
    answer = sam.post(f"{PRODUCTS}/p1/stock", data=form)
    assert answer.status_code == status
    found = field_errors(answer)
    assert found.keys() == errors.keys()
    assert all(found[name].startswith(text) for name, text in errors.items()), found
    assert everything() == before


def test_a_form_that_is_sent_twice_adjusts_once(
    sam: FlaskClient, stock: Callable[..., None], left: Callable[[str], int]
) -> None:
    stock(p1=5)
    key = hidden(sam.get(f"{PRODUCTS}/p1/stock"), "key")
    for _ in range(2):
        answer = sam.post(f"{PRODUCTS}/p1/stock", data={"units": "3", "reason": "delivery", "key": key})
        assert answer.status_code == 303
    assert left("p1") == 8


def test_saving_without_a_change_leaves_no_entry(
    sam: FlaskClient, stock: Callable[..., None], everything: Callable[..., Any]
) -> None:
    stock(p1=5)
    before = everything()
    assert edit(sam, "p1").status_code == 303
    assert everything() == before


def test_an_adjustment_by_nothing_is_refused(sam: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5)
    answer = sam.post(f"{PRODUCTS}/p1/stock", data={"units": "0", "reason": "count"})
    assert (answer.status_code, "nits must not be 0." in answer.text) == (400, True)


@pytest.mark.parametrize("path", ["", "/stock"])
def test_a_product_that_is_none_is_not_found(sam: FlaskClient, path: str) -> None:
    assert sam.get(f"{PRODUCTS}/nothing{path}").status_code == 404
    assert sam.post(f"{PRODUCTS}/nothing{path}", data=MUG | {"units": "1", "reason": "x"}).status_code == 404


def test_an_import_is_previewed_then_done(
    sam: FlaskClient, stock: Callable[..., None], audit: Callable[..., Any], everything: Callable[..., Any]
) -> None:
    stock(p1=5, p2=3)
    before = everything()
    file = (
        HEADER
        + f"p1,{NASTY.replace(chr(34), chr(34) * 2).join([chr(34)] * 2)},,Things,12,EUR,+2\nnew,Tray,,Home,9,EUR,4\n"
    )
    preview = upload(sam, file, deactivate_missing="true")
    assert preview.status_code == 200
    assert re.findall(r"<dt>(\w[\w ]*)</dt><dd>(\d+)</dd>", preview.text) == [
        ("Added", "1"), ("Changed", "1"), ("Unchanged", "0"), ("Deactivated", "1"), ("Stock changed", "2"),
        ("Refused", "0"),
    ]  # fmt: skip
    assert everything() == before
    assert NASTY not in preview.text
    done = confirm(sam, preview, deactivate_missing="true")
    assert done.headers["Location"] == "/backoffice/import?done=imported"
    page = sam.get(done.headers["Location"])
    assert messages(page) == ["Imported."]
    assert "sam: 1 added, 1 changed, 1 deactivated" in page.text
    assert names(sam.get(f"{PRODUCTS}?active=true")) == [NASTY, "Tray"]
    assert audit()[0] == ("sam", "catalog.import", "catalog")


def test_refused_rows_stand_beside_their_reasons(
    sam: FlaskClient, stock: Callable[..., None], everything: Callable[..., Any]
) -> None:
    stock(p1=5)
    before = everything()
    answer = upload(sam, HEADER + "p1,Lamp,,Things,12,EUR,\np2,<b>,,Things,cheap,EUR,1\np1,Twice,,Things,1,EUR,1\n")
    assert answer.status_code == 200
    rows = re.findall(r'data-label="Line">(\d+)</td><td>(.*?)</td><td>(.*?)</td><td class="reason">(.*?)<', answer.text)
    assert [row[:3] for row in rows] == [("3", "price", "<code>cheap</code>"), ("4", "id", "<code>p1</code>")]
    assert rows[1][3] == "Line 2 has this id: keep one."
    assert "Nothing is imported: 2 rows do not fit." in answer.text
    assert 'value="import"' not in answer.text
    comma = upload(sam, HEADER + 'p2,x,,Things,"9,50",EUR,1\n').text
    assert "say that the file has decimal commas (“comma” under “Decimals”)." in comma
    packed = import_pages.pack((HEADER + "p2,x,,Things,cheap,EUR,1\n").encode())
    forced = sam.post("/backoffice/import", data={"packed": packed, "do": "import", "seen": ""})
    assert forced.status_code == 422
    assert everything() == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a,b\n1,2\n", "The first line must name the columns"), (HEADER, "The file holds no products below its header.")],
)
def test_a_file_that_is_no_catalogue_is_refused(sam: FlaskClient, text: str, reason: str) -> None:
    answer = upload(sam, text)
    assert answer.status_code == 422
    assert f'<td class="reason">{reason}' in answer.text


def test_an_import_after_another_is_shown_again_first(
    sam: FlaskClient, stock: Callable[..., None], left: Callable[[str], int], everything: Callable[..., Any]
) -> None:
    stock(p1=5)
    preview = upload(sam, HEADER + "p1,Product p1,,Things,10,EUR,+3\n")
    assert confirm(sam, preview).status_code == 303
    before = everything()
    again = confirm(sam, preview)
    assert again.status_code == 409
    assert shown_errors(again) == ["Another file was imported since this preview: look at what changes now."]
    assert (everything(), left("p1")) == (before, 8)
    assert confirm(sam, again).status_code == 303
    assert left("p1") == 11


@pytest.mark.parametrize("form", [{}, {"packed": "nonsense"}, {"packed": "AAAA"}, {"packed": "é"}])
def test_an_import_without_a_file_asks_for_one(sam: FlaskClient, form: dict[str, str]) -> None:
    answer = sam.post("/backoffice/import", data=form)
    assert (answer.status_code, shown_errors(answer)) == (400, ["Choose a file."])


@pytest.mark.parametrize("form", [{"stock": "steal"}, {"decimal": "dot"}, {"currency": "EUT"}, {"source": "ebay"}])
def test_an_import_with_a_wrong_option_is_refused(
    sam: FlaskClient, everything: Callable[..., Any], form: dict[str, str]
) -> None:
    answer = upload(sam, HEADER + "p1,Lamp,,Things,12,EUR,\n", **form)
    assert answer.status_code == 400
    assert shown_errors(answer)
    assert everything() == []


def test_a_file_that_grows_too_large_is_refused(sam: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pages, "LARGEST_FILE", 1000)
    for form in ({"packed": import_pages.pack(b"x" * 1001)}, {"file": (io.BytesIO(b"x" * 1001), "p.csv")}):
        assert sam.post("/backoffice/import", data=form).status_code == 413


def test_a_large_file_is_taken(sam: FlaskClient) -> None:
    rows = "".join(f"p{n},Lamp {n},{'long ' * 40},Home,1.00,EUR,1\n" for n in range(3000))
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n{HEADER}{rows}\r\n--b--\r\n'
    preview = sam.post("/backoffice/import", data=body.encode(), content_type="multipart/form-data; boundary=b")
    assert "<dt>Added</dt><dd>3000</dd>" in preview.text
    assert len(preview.text) < 200_000
    assert confirm(sam, preview).status_code == 303


def test_the_export_is_what_the_import_reads(sam: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5)
    answer = sam.get("/backoffice/export.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="products.csv"'
    assert answer.text.splitlines()[1].startswith("p1,Product p1,,Things,10.00,EUR,5,")
    assert "<dt>Unchanged</dt><dd>1</dd>" in upload(sam, answer.text).text


def test_the_audit_tells_who_changed_what(sam: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5)
    edit(sam, "p1", name=NASTY, price="8")
    page = sam.get("/backoffice/audit")
    assert NASTY not in page.text
    assert "<strong>Product changed</strong>" in page.text
    assert '<a href="/backoffice/products/p1">p1</a>' in page.text
    assert re.findall(r"<dt>(.*?)</dt>", page.text)[:2] == ["name", "price"]
    assert "<del>€10.00</del>" in page.text
    assert "<strong>" not in sam.get("/backoffice/audit?subject=p2").text
    assert "<strong>Product changed</strong>" in sam.get("/backoffice/audit?action=product.change&staff=u-sam").text


def test_the_audit_is_filtered_by_day(sam: FlaskClient, stock: Callable[..., None], db: Database) -> None:
    stock(p1=5)
    edit(sam, "p1", price="8")
    today = db.fetch_one("SELECT (now() AT TIME ZONE 'UTC')::date::text AS day").day
    tomorrow = db.fetch_one("SELECT ((now() AT TIME ZONE 'UTC')::date + 1)::text AS day").day
    assert "Product changed</strong>" in sam.get(f"/backoffice/audit?since={today}&until={today}").text
    assert "Product changed</strong>" not in sam.get(f"/backoffice/audit?since={tomorrow}").text
    assert sam.get("/backoffice/audit?since=yesterday").status_code == 400
    assert sam.get("/backoffice/audit?until=9999-12-31").status_code == 400


def test_the_audit_goes_on_on_the_next_page(
    sam: FlaskClient, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.pages.audit.PAGE_SIZE", 1)
    stock(p1=5)
    edit(sam, "p1", price="8")
    edit(sam, "p1", price="9")
    following = re.search(r'rel="next" href="(.*?)"', sam.get("/backoffice/audit?action=product.change").text)
    assert following
    page = sam.get(html.unescape(following[1])).text
    assert "<ins>€8.00</ins>" in page
    assert 'href="/backoffice/audit?action=product.change">Back to the start' in page
    assert sam.get("/backoffice/audit?after=nonsense").status_code == 400


@pytest.mark.parametrize(
    ("path", "expected"),
    [(PRODUCTS, 1), (f"{PRODUCTS}/p1", 1), (f"{PRODUCTS}/p1/stock", 2), ("/backoffice/audit", 1)],
)
def test_a_page_runs_few_statements(
    *, sam: FlaskClient, db: Database, stock: Callable[..., None], count_statements: Callable[..., Any],
    path: str, expected: int
) -> None:  # fmt: skip
    stock(p1=5)
    assert sam.get(path).status_code == 200
    with count_statements(db) as statements:
        assert sam.get(path).status_code == 200
    assert len(statements) == expected
