"""SQL in every text that a client may send is treated as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from .conftest import Headers, rows, send
from .documents import Operation, Place, at, changed, operations

SQL = [
    "'",
    "p1' OR '1'='1",
    "x'; DROP TABLE orders, users CASCADE; --",
    "\\'; SELECT pg_sleep(9); --",
    "$$; DELETE FROM sessions; $$",
    '"; :id %s %(id)s {0} ${x}',
    "x'::int; COPY users TO PROGRAM 'id'",
]
TABLES = {
    "user-service": {"users", "sessions", "refresh_tokens", "endings", "audit_entries", "recovery_codes"},
    "order-service": {"products", "orders", "order_lines", "session_feed", "ended_sessions", "erased_buyers"},
}
STORED_AND_SHOWN = {
    ("PATCH /profile", ("name",)),
    ("PATCH /profile", ("shipping_address", "recipient")),
    ("PATCH /profile", ("shipping_address", "street")),
    ("PATCH /profile", ("shipping_address", "line2")),
    ("PATCH /profile", ("shipping_address", "city")),
    ("PATCH /profile", ("shipping_address", "region")),
    ("PATCH /profile", ("shipping_address", "postal_code")),
    ("POST /register", ("name",)),
    ("POST /orders", ("ship_to", "recipient")),
    ("POST /orders", ("ship_to", "street")),
    ("POST /orders", ("ship_to", "line2")),
    ("POST /orders", ("ship_to", "city")),
    ("POST /orders", ("ship_to", "region")),
    ("POST /orders", ("ship_to", "postal_code")),
}
CHANGES_A_SECOND_FACTOR = {
    "DELETE /second-factor",
    "POST /second-factor/confirm",
    "POST /second-factor/recovery-codes",
}
PUTS_A_NEW_ONE = {"/admin/shipping-methods/{method_id}", "/admin/tax-rates/{country}/{tax_class}"}
WITHOUT_THE_TOKEN = {"/token/refresh": {401}, "/email/verification/confirm": {400}, "/password/reset": {400}}
EVERY = operations()


def members() -> list[Any]:
    return [
        pytest.param(operation, place, id=f"{operation.name} {'.'.join(map(str, place))}")
        for operation in EVERY
        for place in operation.text_members
    ]


def parameters() -> list[Any]:
    return [
        pytest.param(operation, where, name, id=f"{operation.name} {where} {name}")
        for operation in EVERY
        for where, name in operation.parameters
    ]


def nothing_is_broken(apps: dict[str, Flask]) -> bool:
    return all(TABLES[service] <= set(rows(app)) for service, app in apps.items())


def test_documents_name_the_text_members_to_attack() -> None:
    found = {(operation.name, place) for operation in EVERY for place in operation.text_members}
    assert found >= STORED_AND_SHOWN
    assert ("POST /login", ("username",)) in found
    assert ("POST /orders", ("items", 0, "product_id")) in found
    assert {name for operation in EVERY for _, name in operation.parameters} >= {
        "q",
        "after",
        "category",
        "order_id",
        "session_id",
        "Idempotency-Key",
    }


@pytest.mark.parametrize("operation", [it for it in EVERY if it.body], ids=lambda it: it.name)
def test_unmodified_bodies_are_accepted(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], operation: Operation
) -> None:
    who = sign_up(is_staff=operation.for_staff) if operation.path != "/register" else {}
    answer = send(apps, operation, who, json=operation.body)
    expected = WITHOUT_THE_TOKEN.get(operation.path, {200, 201, 202, 204})
    if "{" in operation.path:
        expected = {200} if operation.method == "put" and operation.path in PUTS_A_NEW_ONE else {404}  # no such id
    if operation.name in CHANGES_A_SECOND_FACTOR:
        expected = {409}  # there is none
    assert answer.status_code in expected, answer.text


@pytest.mark.parametrize(("operation", "place"), members())
def test_sql_in_a_member_is_stored_as_it_came_or_refused(
    apps: dict[str, Flask], sign_up: Callable[[], Headers], operation: Operation, place: Place
) -> None:
    who = sign_up()
    for number, sql in enumerate(SQL):
        body = operation.body
        if operation.path == "/register":
            body = {**operation.body, "username": f"someone-{number}", "email": f"{number}@example.com"}  # type: ignore[dict-item]
        answer = send(apps, operation, who, json=changed(body, place, sql))
        assert answer.status_code < 500, (sql, answer.text)
        if (operation.name, place) in STORED_AND_SHOWN and len(sql) <= 20:
            assert answer.status_code < 300, (sql, answer.text)
        renewed = place == ("device_token",)
        if answer.status_code < 300 and answer.json and place[0] in answer.json and not renewed:
            assert at(answer.json, place) == sql
        if operation.name.startswith("DELETE"):
            assert answer.status_code in {403, 409, 429}
    assert nothing_is_broken(apps)


@pytest.mark.parametrize(("operation", "where", "name"), parameters())
def test_sql_in_a_parameter_finds_and_changes_nothing(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], operation: Operation, where: str, name: str
) -> None:
    who = sign_up(is_staff=operation.for_staff)
    before = {service: rows(app) for service, app in apps.items()}
    for sql in [*SQL, "\x00", "\udcff", "z" * 300]:
        sent = quote(sql, safe="", errors="surrogateescape")
        how: dict[str, Any] = {"json": operation.body} if operation.body else {}
        if where == "path":
            answer = send(apps, operation, who, path=operation.path.replace(f"{{{name}}}", sent), **how)
        elif where == "query":
            answer = send(apps, operation, who, path=f"{operation.path}?{name}={sent}", **how)
        else:
            # Any text of this shape is a valid key, and an ETag of no response.
            key = sql.replace(" ", "") if sql.isascii() and sql.isprintable() else "'"
            answer = send(apps, operation, {**who, name: key}, **how)
            assert answer.status_code in ({200, 404} if name == "If-None-Match" else {201, 400, 404, 409})
            continue
        assert answer.status_code < 500, (sql, answer.text)
        # A search finds the words of any text.
        assert answer.status_code in {400, 401, 404} or answer.json == [] or name == "q", (sql, answer.text)
    if where != "header":
        assert {service: rows(app) for service, app in apps.items()} == before
    assert nothing_is_broken(apps)


def test_username_that_looks_like_sql_signs_in(apps: dict[str, Flask], sign_up: Callable[..., Headers]) -> None:
    client = apps["user-service"].test_client()
    name = "x';DROP/**/TABLE/**/users;--"
    answer: Any = client.get("/profile", headers=sign_up(name))
    assert answer.json["username"] == name
