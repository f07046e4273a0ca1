from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from chassis.db.database import Database
from order_service.__main__ import cli
from order_service.catalog.import_file import Product
from order_service.settings import Settings

HEADER = "id,name,description,category,price,currency,stock\n"
DEMO = Path(__file__).parents[2] / "demo" / "products.csv"


@pytest.fixture
def command(settings: Settings) -> Callable[..., Result]:
    def command(*arguments: str) -> Result:
        return CliRunner().invoke(cli, [*arguments, "--database-url", settings.database_url])

    return command


@pytest.fixture
def run(command: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """Import a file, or this content of one."""

    def run(file: Path | str, *options: str) -> Result:
        if isinstance(file, str):
            (tmp_path / "products.csv").write_text(file)
            file = tmp_path / "products.csv"
        return command("catalog", "import", str(file), *options)

    return run


@pytest.fixture
def adds_up(command: Callable[..., Result]) -> Callable[[], bool]:
    """Return whether the movements agree with the stock."""
    return lambda: command("stock", "audit").output == "0 products differ\n"


def shelf(client: FlaskClient) -> list[tuple[str, float, int]]:
    products: Any = client.get("/products").json
    return [(product["id"], product["price"], product["available"]) for product in products]


def test_the_demo_catalogue_begins_with_the_contracts_products(client: FlaskClient, run: Callable[..., Result]) -> None:
    result = run(DEMO)
    assert (result.exit_code, result.stdout) == (
        0,
        "64 products added, 0 updated, 0 unchanged, 0 deactivated; stock changed for 64\n",
    )
    assert result.stderr == "Read as UTF-8, separated by commas.\n"
    products: Any = client.get("/products").json
    assert [(product["id"], product["name"], product["price"]) for product in products[:3]] == [
        ("p1", "Wireless Mouse", 19.99),
        ("p2", "Mechanical Keyboard", 59.49),
        ("p3", "USB-C Hub", 24.9),
    ]
    assert len(products) == 64
    assert len({product["category"] for product in products}) >= 5


def test_importing_again_updates_adds_and_leaves_the_rest(
    client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None]
) -> None:
    stock(p1=5, p2=5)
    result = run(HEADER + "p9,Lamp,,Home,5,EUR,3\np1,Mouse,,Things,1.50,EUR,7\n")
    assert result.stdout == "1 products added, 1 updated, 0 unchanged, 0 deactivated; stock changed for 1\n"
    assert shelf(client) == [("p1", 1.5, 5), ("p2", 10.0, 5), ("p9", 5.0, 3)]


def test_changed_price_never_restores_sold_stock(
    client: FlaskClient, run: Callable[..., Result], place: Callable[..., Any], adds_up: Callable[[], bool]
) -> None:
    run(HEADER + "st1,Mug,,Things,20.00,EUR,5\n")
    assert place(st1=3).status_code == 201
    run(HEADER + "st1,Mug,,Things,25.00,EUR,5\n")
    assert shelf(client) == [("st1", 25.0, 2)]
    assert place(st1=3).status_code == 409
    assert adds_up()


@pytest.mark.parametrize(
    ("cell", "mode", "expected"),
    [
        ("7", "keep", 5), ("7", "set", 7), ("7", "add", 12), ("0", "set", 0), ("", "set", 5), ("", "add", 5),
        ("+20", "keep", 25), ("-3", "keep", 2), ("+20", "set", 25), ("-3", "add", 2), ("-5", "keep", 0),
    ],
)  # fmt: skip
def test_stock_of_a_known_product_changes_only_as_said(
    *, client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None], adds_up: Callable[[], bool],
    cell: str, mode: str, expected: int
) -> None:  # fmt: skip
    stock(p1=5)
    assert run(HEADER + f"p1,Mouse,,Things,1.50,EUR,{cell}\n", "--stock", mode).exit_code == 0
    assert shelf(client) == [("p1", 1.5, expected)]
    assert adds_up()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("p1,Mouse,,Things,1.50,EUR,-6\n", "line 2, stock '-6': the stock would become -1: it is 0 to 1000000000"),
        ("p9,Lamp,,Home,5,EUR,-3\n", "line 2, stock '-3': the stock would become -3: it is 0 to 1000000000"),
        ("p1,Mouse,,Things,1,EUR,+1000000000\n", "the stock would become 1000000005"),
        ("p1,Mouse,,Things,1.50,EUR,7\np2,Lamp,,Home,cheap,EUR,3\n", "line 3, price 'cheap': an amount is a number"),
    ],
)
def test_file_with_a_bad_row_is_not_imported(
    client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None], rows: str, reason: str
) -> None:
    stock(p1=5)
    result = run(HEADER + rows)
    assert result.exit_code == 1
    assert "nothing imported\n" in result.output
    assert reason in result.output
    assert shelf(client) == [("p1", 10.0, 5)]


def test_new_product_without_a_category_is_refused(run: Callable[..., Result], stock: Callable[..., None]) -> None:
    stock(p1=5)
    assert run("id,name,price,currency\np1,Mouse,5,EUR\n").exit_code == 0
    result = run("id,name,price,currency\np9,Lamp,5,EUR\n")
    assert "line 2, category '': a new product needs a category: fill it in" in result.output


def test_missing_columns_keep_what_a_product_has(
    client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None]
) -> None:
    kept = Product("p1", "Mouse", "Quiet", "Things", 500, "EUR", 5, False, True, ["https://a.example/1.png"])
    stock(kept._replace(group="mice", options={"Size": "M"}, tax_class="reduced"))
    before: Any = client.get("/products/p1").json
    run("id,name,price,currency\np1,Mouse,6,EUR\n")
    after: Any = client.get("/products/p1").json
    assert after == {**before, "price": 6.0}
    assert [product["id"] for product in client.get("/products?q=quiet").json] == ["p1"]  # type: ignore[union-attr]


def test_missing_products_are_deactivated_when_said(
    client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.http.response_cache.FRESH_SECONDS", -1)
    stock(p1=5, p2=5)
    row = HEADER + "p1,Mouse,,Things,10,EUR,\n"
    assert run(row).exit_code == 0
    assert len(shelf(client)) == 2
    result = run(row, "--deactivate-missing")
    assert result.stdout == "0 products added, 0 updated, 1 unchanged, 1 deactivated; stock changed for 0\n"
    assert shelf(client) == [("p1", 10.0, 5)]


def test_a_dry_run_says_what_would_change_and_changes_nothing(client: FlaskClient, run: Callable[..., Result]) -> None:
    assert run(DEMO, "--dry-run").stdout.startswith("Dry run: 64 products added, 0 updated")
    assert client.get("/products").json == []


def test_import_with_if_empty_skips_a_filled_catalogue(
    client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None]
) -> None:
    stock(p1=5)
    assert run(DEMO, "--if-empty").stdout.startswith("The catalogue holds products already: 0 products added")
    assert len(shelf(client)) == 1


def test_unchanged_rows_are_not_written(run: Callable[..., Result], db: Database) -> None:
    versions = "SELECT string_agg(xmin::text, ',' ORDER BY id) AS all FROM products"
    run(DEMO)
    before = db.fetch_one(versions)
    assert run(DEMO).stdout == "0 products added, 0 updated, 64 unchanged, 0 deactivated; stock changed for 0\n"
    assert db.fetch_one(versions) == before


ODD = [
    Product("p1", 'Mug "Rosa", blue', "One\nTwo, ünïcode", "Kitchen; more", 1999, "EUR", 5),
    Product("-A 1", "Tea", "", "緑茶", 1980, "JPY", 0, False, False),
    Product("_K", "Gold", "=1+1", "Things", 1250, "KWD", 3, False, True, ["https://a.example/1.png", "https://b/2"],
            "reduced", "gold", {"Size": "M", "Colour": "dark red"}),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["keep", "set"])
def test_export_is_imported_and_exported_to_the_byte(
    command: Callable[..., Result], stock: Callable[..., None], db: Database, tmp_path: Path, mode: str
) -> None:
    stock(*ODD)
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    assert command("catalog", "export", str(first)).exit_code == 0
    assert command("catalog", "import", str(first), "--stock", mode).stdout.startswith("0 products added, 0 updated, 3")
    with db.transaction("t") as connection:
        connection.execute("DELETE FROM products")
    assert command("catalog", "import", str(first)).stdout.startswith("3 products added")
    assert command("catalog", "export", str(second)).exit_code == 0
    assert second.read_bytes() == first.read_bytes()
    assert first.read_text() == (
        "id,name,description,category,price,currency,stock,active,images,tax_class,group,options\n"
        'p1,"Mug ""Rosa"", blue","One\nTwo, ünïcode",Kitchen; more,19.99,EUR,5,yes,,standard,,\n'
        "-A 1,Tea,,緑茶,1980,JPY,0,no,,standard,,\n"
        "_K,Gold,=1+1,Things,1.250,KWD,3,yes,https://a.example/1.png https://b/2,reduced,gold,Size=M; Colour=dark red\n"
    )


def test_audit_names_products_whose_movements_differ_and_corrects_them(
    command: Callable[..., Result], stock: Callable[..., None], db: Database
) -> None:
    stock(p1=5, p2=5)
    with db.transaction("t") as connection:
        connection.execute("UPDATE products SET stock = 3 WHERE id = 'p1'")
    result = command("stock", "audit")
    assert (result.exit_code, result.output) == (1, "p1: 3 in stock, 5 by its movements\n1 products differ\n")
    assert command("stock", "audit", "--correct").exit_code == 0
    assert command("stock", "audit").exit_code == 0
    found = db.fetch_one("SELECT kind, units, reason FROM stock_movements ORDER BY id DESC LIMIT 1")
    assert found == ("adjustment", -2, "correction of the record")


def test_import_leaves_an_audit_entry(run: Callable[..., Result], db: Database) -> None:
    run(HEADER + "p1,Mouse,,Things,1.50,EUR,7\n", "--stock", "add")
    entry = db.fetch_one("SELECT staff_id, action, subject, after FROM audit_entries")
    assert entry[:3] == (None, "catalog.import", "catalog")
    assert (entry.after["added"], entry.after["moved"], entry.after["stock"]) == (1, 1, "add")


def test_search_is_rebuilt_for_another_language(
    command: Callable[..., Result], stock: Callable[..., None], db: Database
) -> None:
    stock(Product("p1", "Чайники", "", "Things", 100, "EUR", 1))
    assert command("catalog", "reindex").output == "0 products indexed\n"
    assert command("catalog", "reindex", "--language", "russian").output == "1 products indexed\n"
    assert db.fetch_one("SELECT search::text AS text FROM products").text == "'p1':2A 'чайник':3A 'чайники':1A"
