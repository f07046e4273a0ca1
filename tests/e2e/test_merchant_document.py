"""The commands of docs/merchant.md, run in order in one shell, do what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_shell import run_as_new_user

import order_service
import user_service
from chassis.testing.postgres import migrated_database
from localshop.shop import Shop
from localshop.staff import first_staff
from localshop.testing import free_ports, fresh_folder

pytestmark = pytest.mark.e2e
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/merchant.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (\d+)\.", re.MULTILINE)
END_OF_BLOCK = "--- end of block"
Answers = dict[int, list[list[str]]]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Run what `make up` runs, with its account of the staff, on databases of the test."""
    user_port, order_port, mailbox_port = free_ports(3)
    with (
        fresh_folder() as data,
        migrated_database("merchant_user", user_service.MIGRATIONS) as user,
        migrated_database("merchant_order", order_service.MIGRATIONS) as order,
        Shop(
            data, user_port=user_port, order_port=order_port, mailbox_port=mailbox_port, databases=(user, order)
        ) as shop,
    ):
        first_staff(shop)
        yield shop


def blocks_of_sections() -> dict[int, list[str]]:
    """Return the sh blocks below each numbered heading."""
    _, *parts = SECTION.split(DOCUMENT.read_text())
    return {int(number): BLOCK.findall(text) for number, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.fixture(scope="module")
def answers(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Run the document; return the lines that each block of each section wrote."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / ".data").symlink_to(shop.data)
    sections = blocks_of_sections()
    script = "".join(f"{block}echo '{END_OF_BLOCK}'\n" for blocks in sections.values() for block in blocks)
    written = iter(run_as_new_user(script, shop, folder).split(f"{END_OF_BLOCK}\n"))
    return {number: [next(written).splitlines() for _ in blocks] for number, blocks in sections.items()}


def documents(lines: list[str]) -> list[Any]:
    """Return the JSON document of each line."""
    return [json.loads(line) for line in lines]


def only(document: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(document[name] for name in names)


def test_staff_sign_in_with_a_second_factor_that_the_codes_switch_on(answers: Answers) -> None:
    (secret,), confirmed, signed_in = answers[1]

    assert re.fullmatch("[A-Z2-7]{32}", secret)
    assert len(set(documents(confirmed)[0]["recovery_codes"])) == 10
    refused, state = documents(signed_in)
    assert only(refused, "status", "code") == (401, "otp_required")
    assert state["since"] is not None
    assert state["recovery_codes_left"] == 10


def test_preview_shows_changes_and_the_refused_row_and_imports_nothing(answers: Answers) -> None:
    first, then = answers[2]

    (preview,) = documents(first)
    assert only(preview, "dry_run", "added", "refused") == (True, 1, 1)
    assert [change["product_id"] for change in preview["changes"]] == ["MUG-1"]
    (row,) = preview["rows"]
    assert only(row, "line", "column", "value") == (3, "price", "9,50")
    assert "write 9.50" in row["error"]
    reports = [only(report, "dry_run", "added", "refused") for report in documents(then)]
    assert reports == [(True, 2, 0), (False, 2, 0)]


def test_new_prices_by_route_and_file_leave_two_of_five_in_stock(answers: Answers) -> None:
    ordered, changed = answers[3]

    _, order = documents(ordered)
    assert only(order, "status", "total") == ("placed", 60.0)
    by_route, by_file, product = documents(changed)
    assert only(by_route, "price", "stock") == (25.0, 2)
    assert only(by_file, "updated", "unchanged", "stock_changed") == (1, 1, 0)
    assert only(product, "price", "stock") == (26.0, 2)


def test_stock_moves_by_what_staff_say_and_never_below_zero(answers: Answers) -> None:
    more, less, refused, movements = documents(answers[4][0])

    assert [more["stock"], less["stock"]] == [12, 11]
    assert only(refused, "status", "code", "stock") == (409, "stock_out_of_range", 11)
    assert [only(movement, "kind", "units", "reason") for movement in movements] == [
        ("adjustment", -1, "Broken"),
        ("adjustment", 10, "Delivery 4711"),
        ("sale", -3, None),
        ("import", 5, None),
    ]


def test_inactive_product_is_neither_shown_nor_listed_nor_sold(answers: Answers) -> None:
    changed, shown, listed, ordered = documents(answers[5][0])

    assert only(changed, "active", "stock") == (False, 8)
    assert only(shown, "status", "code") == (404, "not_found")
    assert [product["id"] for product in listed] == ["MUG-1"]
    assert only(ordered, "status", "code", "products") == (400, "unknown_product", ["MUG-2"])


def test_audit_has_each_change_and_no_preview_or_refusal(answers: Answers) -> None:
    entries, of_product, of_users = documents(answers[6][0])

    assert [only(entry, "staff_name", "action", "subject") for entry in entries] == [
        ("staff", "product.change", "MUG-2"),
        ("staff", "product.stock", "MUG-1"),
        ("staff", "product.stock", "MUG-1"),
        ("staff", "catalog.import", "catalog"),
        ("staff", "product.change", "MUG-1"),
        ("staff", "catalog.import", "catalog"),
        (None, "tax_rates.import", "tax_rates"),
        (None, "shipping_methods.import", "shipping_methods"),
        (None, "catalog.import", "catalog"),
    ]
    assert entries[1]["after"] == {"stock": 11, "reason": "Broken"}
    assert [(entry["before"]["active"], entry["after"]["active"]) for entry in of_product] == [(True, False)]
    assert [only(entry, "staff_name", "action") for entry in of_users] == [(None, "staff.grant")]


def test_customer_gets_the_account_back_by_the_mailed_code(answers: Answers) -> None:
    asked, reset = answers[7]

    assert json.loads(asked[0]) == {"message": "if an account has this address, a mail is on its way"}
    assert "/account/password/new#code=" in "\n".join(asked)
    assert reset[0] == "204"
    again, old_password, orders = documents(reset[1:])
    assert only(again, "status", "code") == (400, "invalid_mail_token")
    assert old_password["status"] == 401
    assert [only(order, "status", "total") for order in orders] == [("placed", 60.0)]


def test_quote_says_what_two_mugs_cost_with_shipping_and_tax(answers: Answers) -> None:
    method, quote = documents(answers[8][0])

    assert only(method, "id", "price", "free_from") == ("standard", 3.9, 60.0)
    assert only(quote, "total", "shortages") == (55.9, [])
    assert only(quote["tax"], "included", "total") == (True, 8.93)


def test_customer_orders_at_the_quoted_total_is_declined_and_pays(answers: Answers) -> None:
    ordered, paid = answers[9]

    refused, order = documents(ordered)
    assert only(refused, "status", "code") == (409, "price_changed")
    assert refused["quote"]["total"] == 55.9
    assert (order["total"], order["payment"]["status"]) == (55.9, "pending")
    declined, done = documents(paid)
    assert declined["payment"]["status"] == "failed"
    assert only(done["payment"], "status", "paid") == ("paid", 55.9)


def test_order_is_shipped_and_half_of_it_refunded_with_a_mail_each(answers: Answers) -> None:
    done, mails = answers[10]

    (listed,), shipped, refund, order = documents(done)
    assert listed["order_id"] == order["order_id"]
    assert only(shipped, "status", "order_id") == ("shipped", order["order_id"])
    assert only(refund, "amount", "status") == (26.0, "pending")
    assert only(order["payment"], "status", "refunded") == ("partially_refunded", 26.0)
    number = order["number"]
    assert {mail.partition(f" order {number}")[0] for mail in mails} == {
        "Your",
        "We have received your payment for",
        "Your refund for",
    }
    assert f"Your order {number} is on its way" in mails
