from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from order_service.__main__ import cli
from order_service.settings import Settings

HEADER = "id,name,description,category,price,currency,stock\n"
DEMO = Path(__file__).parents[2] / "demo" / "products.csv"


@pytest.fixture
def run(settings: Settings) -> Callable[..., Result]:
    def run(file: Path, *options: str) -> Result:
        return CliRunner().invoke(cli, ["catalog", str(file), *options, "--database-url", settings.database_url])

    return run


def test_the_demo_catalogue_begins_with_the_contracts_products(client: FlaskClient, run: Callable[..., Result]) -> None:
    result = run(DEMO)
    assert (result.exit_code, result.output) == (0, "64 products added, 0 updated\n")
    products: Any = client.get("/products").json
    assert [(product["id"], product["name"], product["price"]) for product in products[:3]] == [
        ("p1", "Wireless Mouse", 19.99),
        ("p2", "Mechanical Keyboard", 59.49),
        ("p3", "USB-C Hub", 24.9),
    ]
    assert len(products) == 64
    assert len({product["category"] for product in products}) >= 5


def test_importing_again_updates_adds_and_leaves_the_rest(
    client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None], tmp_path: Path
) -> None:
    stock(p1=5, p2=5)
    file = tmp_path / "more.csv"
    file.write_text(HEADER + "p9,Lamp,,Home,5,EUR,3\np1,Mouse,,Things,1.50,EUR,7\n")
    assert run(file).output == "1 products added, 1 updated\n"
    products: Any = client.get("/products").json
    assert [(product["id"], product["price"], product["available"]) for product in products] == [
        ("p1", 1.5, 7),
        ("p2", 10.0, 5),
        ("p9", 5.0, 3),
    ]


def test_a_dry_run_says_what_would_change_and_changes_nothing(client: FlaskClient, run: Callable[..., Result]) -> None:
    assert run(DEMO, "--dry-run").output == "Dry run: 64 products added, 0 updated\n"
    assert client.get("/products").json == []


def test_import_with_if_empty_skips_a_filled_catalogue(
    client: FlaskClient, run: Callable[..., Result], stock: Callable[..., None]
) -> None:
    stock(p1=5)
    assert run(DEMO, "--if-empty").output == "The catalogue holds products already: 0 products added, 0 updated\n"
    assert len(client.get("/products").json) == 1  # type: ignore[arg-type]


def test_file_with_a_bad_row_is_not_imported(client: FlaskClient, run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(HEADER + "p1,Mouse,,Things,1.50,EUR,7\np2,Lamp,,Home,cheap,EUR,3\n")
    result = run(file)
    assert result.exit_code == 1
    assert "nothing imported\nline 3: 'cheap' is not an amount such as 19.99" in result.output
    assert client.get("/products").json == []
