"""What staff do with shipping methods and tax rates."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from chassis.auth.roles import STAFF
from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser
from order_service.__main__ import cli
from order_service.settings import Settings

SAM = bearer("u-sam", "sam", roles=(STAFF,))
METHODS, RATES = "/admin/shipping-methods", "/admin/tax-rates"
STANDARD = {"name": "Standard", "countries": ["DE", "AT"], "currency": "EUR", "price": 4.9, "free_from": 50}
SHIPPING_FILE = """id,name,countries,currency,price,free_from,tax_class,active,position
standard,Standard,DE AT,EUR,4.90,50.00,standard,yes,1
world,World,,JPY,1200,,standard,no,2
"""
TAX_FILE = "country,tax_class,rate\nDE,reduced,7\nDE,standard,19\nFR,reduced,5.5\n"


@pytest.fixture
def staff(client: FlaskClient) -> Callable[..., Any]:
    """Send a request of the staff member Sam."""

    def send(method: str, path: str, body: Any = None, **options: Any) -> Any:
        return client.open(path, method=method, json=body, headers=SAM, **options)

    return send


@pytest.fixture
def sams(app: Api) -> FlaskClient:
    """Return the browser of the staff member Sam."""
    return browser(app, SAM["Authorization"].removeprefix("Bearer "))


def audit(db: Database) -> list[Any]:
    return list(db.fetch_all("SELECT staff_name, action, subject, before, after FROM audit_entries ORDER BY id"))


def test_method_is_put_changed_deleted_and_noted(staff: Callable[..., Any], db: Database) -> None:
    whole = {**STANDARD, "free_from": 50.0, "id": "standard", "tax_class": "standard", "active": True, "position": 0}
    first = staff("PUT", f"{METHODS}/standard", STANDARD)
    assert (first.status_code, first.json) == (200, whole)
    dearer = staff("PUT", f"{METHODS}/standard", STANDARD | {"price": 5.9}).json
    assert staff("GET", METHODS).json == [dearer] == [whole | {"price": 5.9}]
    assert staff("DELETE", f"{METHODS}/standard").status_code == 204
    assert staff("DELETE", f"{METHODS}/standard").status_code == 404
    noted = [(entry.staff_name, entry.action, entry.before, entry.after) for entry in audit(db)]
    assert noted == [
        ("sam", "shipping.put", None, whole),
        ("sam", "shipping.put", whole, dearer),
        ("sam", "shipping.delete", dearer, None),
    ]


def test_rate_is_put_changed_deleted_and_noted(staff: Callable[..., Any], db: Database) -> None:
    put = staff("PUT", f"{RATES}/de/standard", {"rate": 19})
    assert (put.status_code, put.json) == (200, {"country": "DE", "tax_class": "standard", "rate": 19})
    assert staff("PUT", f"{RATES}/DE/standard", {"rate": 8.875}).json["rate"] == 8.875
    assert staff("DELETE", f"{RATES}/DE/standard").status_code == 204
    assert staff("DELETE", f"{RATES}/DE/standard").status_code == 404
    assert [entry.action for entry in audit(db)] == ["tax.put", "tax.put", "tax.delete"]


@pytest.mark.parametrize(
    ("path", "body", "member"),
    [
        (f"{METHODS}/s", STANDARD | {"price": 4.999}, "price"),
        (f"{METHODS}/s", STANDARD | {"currency": "JPY", "price": 4.5}, "price"),
        (f"{METHODS}/s", STANDARD | {"free_from": -1}, "free_from"),
        (f"{METHODS}/s", STANDARD | {"currency": "EUT"}, "currency"),
        (f"{METHODS}/s", STANDARD | {"countries": ["XX"]}, "countries.0"),
        (f"{METHODS}/s", STANDARD | {"countries": []}, "countries"),
        (f"{METHODS}/a%3Fb", STANDARD, "method_id"),
        (f"{RATES}/DE/standard", {"rate": 101}, "rate"),
        (f"{RATES}/DE/standard", {"rate": -1}, "rate"),
        (f"{RATES}/DE/standard", {"rate": 1.2345}, "rate"),
        (f"{RATES}/DE/standard", {"rate": True}, "rate"),
        (f"{RATES}/DE/standard", {}, "rate"),
        (f"{RATES}/XX/standard", {"rate": 1}, "country"),
    ],
)
def test_bad_input_is_refused_by_member(
    staff: Callable[..., Any], db: Database, path: str, body: Any, member: str
) -> None:
    refused = staff("PUT", path, body)
    assert (refused.status_code, [fault["member"] for fault in refused.json["errors"]]) == (400, [member])
    assert audit(db) == []


@pytest.mark.parametrize(("path", "content"), [(METHODS, SHIPPING_FILE), (RATES, TAX_FILE)])
def test_file_replaces_the_table_and_is_exported_to_the_byte(
    client: FlaskClient, staff: Callable[..., Any], path: str, content: str
) -> None:
    staff("PUT", f"{METHODS}/old", STANDARD)
    staff("PUT", f"{RATES}/AT/standard", {"rate": 20})
    sent = client.post(f"{path}/import", data=content, content_type="text/csv", headers=SAM)
    assert (sent.status_code, sent.json) == (200, {"rows": content.count("\n") - 1})
    assert client.get(f"{path}/export", headers=SAM).text == content


@pytest.mark.parametrize(
    ("path", "content", "rows"),
    [
        (RATES, "country,rate\nDE,19\n", [(1, "", "tax_class is missing")]),
        (RATES, "country,tax_class,rate\n", [(1, "", "no rows below")]),
        (RATES, "country;tax_class;rate\nDE;standard;19\nXX;standard;1\n", [(3, "country", "ISO 3166")]),
        (
            RATES,
            "country,tax_class,rate\nDE,standard,x\nDE,standard,\n",
            [(2, "rate", "19 or 5.5"), (3, "rate", "write")],
        ),
        (RATES, "country,tax_class,rate\nDE,standard,19\nDE,standard,7\n", [(3, "country", "keep one")]),
        (METHODS, 'id,name,currency,price\ns,S,EUR,"4,90"\n', [(2, "price", "point")]),
        (METHODS, "id,name,currency,price,active\ns,S,EUR,4.90,maybe\n", [(2, "active", "yes or no")]),
        (METHODS, "id,name,currency,price\n,S,EUR,4.90\n", [(2, "id", "write something")]),
    ],
)
def test_file_with_a_bad_row_changes_nothing_and_names_it(
    client: FlaskClient, staff: Callable[..., Any], path: str, content: str, rows: list[tuple[int, str, str]]
) -> None:
    staff("PUT", f"{METHODS}/old", STANDARD)
    staff("PUT", f"{RATES}/AT/standard", {"rate": 20})
    refused = client.post(f"{path}/import", data=content, content_type="text/csv", headers=SAM)
    assert (refused.status_code, refused.json["code"]) == (422, "bad_terms_file")  # type: ignore[index]
    found = refused.json["rows"]  # type: ignore[index]
    assert [(row["line"], row["column"]) for row in found] == [row[:2] for row in rows]
    assert all(said in row["error"] for row, (_, _, said) in zip(found, rows, strict=True))
    assert len(staff("GET", path).json) == 1


def test_commands_import_once_and_export(settings: Settings, app: Api, tmp_path: Path) -> None:
    file = tmp_path / "tax.csv"
    file.write_text(TAX_FILE)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["tax", *arguments, "--database-url", settings.database_url])

    assert "3 tax rates imported" in run("import", str(file)).output
    assert "already" in run("import", "--if-empty", str(file)).output
    assert run("export").output == TAX_FILE
    file.write_text("country,tax_class,rate\nDE,standard,abc\n")
    refused = run("import", str(file))
    assert refused.exit_code == 1
    assert "line 2, rate 'abc'" in refused.output
    assert run("export").output == TAX_FILE


def test_method_is_added_changed_and_deleted_by_pages(sams: FlaskClient, db: Database) -> None:
    form = {"id": "standard", "name": "Standard", "countries": "DE AT", "currency": "EUR", "price": "4.90"}
    form |= {"tax_class": "standard", "position": "1", "active": "yes"}
    added = sams.post("/backoffice/shipping/method", data=form)
    assert (added.status_code, added.headers["Location"]) == (303, "/backoffice/shipping?done=saved")
    assert "€4.90" in sams.get("/backoffice/shipping?done=saved").text
    shown = sams.get("/backoffice/shipping/method?id=standard").text
    assert 'value="DE AT"' in shown
    refused = sams.post("/backoffice/shipping/method", data=form | {"price": "4.999", "countries": "XX"})
    assert (refused.status_code, 'value="4.999"' in refused.text) == (400, True)
    assert sams.get("/backoffice/shipping/method?id=gone").status_code == 404
    assert sams.post("/backoffice/shipping/method/delete", data={"id": "standard"}).status_code == 303
    assert [entry.action for entry in audit(db)] == ["shipping.put", "shipping.delete"]


def test_rates_are_changed_and_files_uploaded_by_pages(sams: FlaskClient) -> None:
    rate = {"country": "DE", "tax_class": "standard", "rate": "19"}
    assert sams.post("/backoffice/shipping/rate", data=rate).status_code == 303
    assert sams.post("/backoffice/shipping/rate", data=rate | {"rate": "x"}).status_code == 400
    assert sams.get("/backoffice/shipping/tax_rates.csv").text == "country,tax_class,rate\nDE,standard,19\n"
    assert sams.post("/backoffice/shipping/rate/delete", data=rate).status_code == 303

    def upload(content: str) -> Any:
        file = (BytesIO(content.encode()), "tax.csv")
        return sams.post("/backoffice/shipping/import", data={"table": "tax_rates", "file": file})

    assert upload(TAX_FILE).status_code == 303
    refused = upload("country,tax_class,rate\nDE,standard,abc\n")
    assert (refused.status_code, "abc" in refused.text) == (422, True)
    assert sams.get("/backoffice/shipping/tax_rates.csv").text == TAX_FILE
    assert sams.post("/backoffice/shipping/import", data={"table": "tax_rates"}).status_code == 400
