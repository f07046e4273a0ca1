from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer
from chassis.testing.postgres import APP, OWNER, settle
from order_service.events import queries, rules
from order_service.settings import Settings

SERVICE = {"Authorization": f"Bearer {LOCAL_SECRET}"}
ALICE, STAFF = bearer("u-alice", "alice"), bearer("u-staff", "staff", roles=("staff",))
WRITE = (
    "INSERT INTO order_events (order_id, type, status, total_minor, currency) VALUES (uuidv7(), %s, 'placed', 1, 'EUR')"
)


def get(client: FlaskClient, *, while_others_write: bool = False, **query: Any) -> Any:
    if not while_others_write:
        settle(client.application.services.database)  # type: ignore[attr-defined]
    answer = client.get("/events", query_string=query, headers=SERVICE)
    assert answer.status_code == 200, answer.text
    return answer.json


def ids(page: dict[str, Any]) -> list[str]:
    return [event["id"] for event in page["events"]]


@pytest.fixture
def write(settings: Settings) -> Iterator[Callable[..., psycopg.Connection]]:
    """Return a function that writes an event in a transaction of its own and leaves it open."""
    opened: list[psycopg.Connection] = []

    def write(type_: str = "order.placed") -> psycopg.Connection:
        connection = psycopg.connect(settings.database_url)
        connection.execute(WRITE, [type_])
        opened.append(connection)
        return connection

    yield write
    for connection in opened:
        connection.close()


@contextmanager
def committed(url: str, count: int, type_: str = "order.placed") -> Iterator[None]:
    with psycopg.connect(url) as connection:
        connection.cursor().executemany(WRITE, [[type_]] * count)
    yield


def test_placing_and_cancelling_write_an_event_each(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(p1=5)
    order = place(p1=2).json
    client.post(f"/orders/{order['order_id']}/cancel", headers=ALICE)
    placed, cancelled = get(client)["events"]
    data = {"order_id": order["order_id"], "total": 20.0, "currency": "EUR", "amount": None}
    assert (placed["type"], placed["data"]) == ("order.placed", {**data, "status": "placed"})
    assert (cancelled["type"], cancelled["data"]) == ("order.cancelled", {**data, "status": "cancelled"})
    assert placed["timestamp"] == order["placed_at"]


def test_the_history_of_an_order_is_what_its_events_say(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(p1=5)
    url = place(p1=2).headers["Location"]
    client.post(f"{url}/cancel", headers=ALICE)
    history = client.get(url, headers=ALICE).json["history"]  # type: ignore[index]
    events = [{"status": event["data"]["status"], "at": event["timestamp"]} for event in get(client)["events"]]
    assert history == events


def test_what_changes_no_order_writes_no_event(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(p1=1)
    url = place(key="k", p1=1).headers["Location"]
    client.post(f"{url}/cancel", headers=ALICE)
    before = ids(get(client))
    assert place(key="k", p1=1).status_code == 201
    assert place(p1=2).status_code == 409
    assert client.post(f"{url}/cancel", headers=ALICE).status_code == 409
    assert ids(get(client)) == before


def test_events_hold_nothing_about_the_customer(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], db: Database
) -> None:
    stock(p1=1)
    place(p1=1)
    rows = " ".join(map(str, db.fetch_all("SELECT * FROM order_events")))
    assert "alice" not in rows
    assert "alice" not in str(get(client))


def test_an_event_that_is_committed_late_is_not_skipped(
    client: FlaskClient, write: Callable[..., psycopg.Connection]
) -> None:
    early, late = write(), write()
    late.commit()
    page = get(client, while_others_write=True)
    assert (page["events"], page["next"], page["more"]) == ([], None, False)
    early.commit()
    whole = get(client)
    assert len(ids(whole)) == 2
    assert whole["more"] is False


def test_a_reader_between_open_transactions_meets_every_event_once(
    client: FlaskClient, write: Callable[..., psycopg.Connection], db: Database
) -> None:
    first = write()
    first.commit()
    settle(db)
    slow, quick = write(), write()
    quick.commit()
    seen, cursor = ids(page := get(client, while_others_write=True)), page["next"]
    assert len(seen) == 1
    slow.rollback()
    write().commit()
    seen += ids(get(client, after=cursor))
    assert sorted(seen) == sorted(ids(get(client)))
    assert len(seen) == 3


def test_pages_follow_each_other_until_there_is_no_more(client: FlaskClient, settings: Settings) -> None:
    with committed(settings.database_url, 5):
        whole = ids(get(client))
    first = get(client, limit=2)
    second = get(client, limit=2, after=first["next"])
    third = get(client, limit=2, after=second["next"])
    assert (first["more"], second["more"], third["more"]) == (True, True, False)
    assert ids(first) + ids(second) + ids(third) == whole
    behind = get(client, after=third["next"])
    assert (behind["events"], behind["next"], behind["more"]) == ([], third["next"], False)


def test_rare_types_are_looked_for_a_bounded_number_of_events_at_a_time(
    client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_SCANNED", 4)
    with committed(settings.database_url, 6), committed(settings.database_url, 1, "order.cancelled"):
        first = get(client, types="order.cancelled")
        second = get(client, types="order.cancelled", after=first["next"])
    assert (first["events"], first["more"]) == ([], True)
    assert [event["type"] for event in second["events"]] == ["order.cancelled"]
    assert second["more"] is False


def test_several_types_stand_with_commas_between_them(client: FlaskClient, settings: Settings) -> None:
    with committed(settings.database_url, 1), committed(settings.database_url, 1, "order.cancelled"):
        assert len(ids(get(client, types="order.cancelled, order.placed"))) == 2


def test_an_unknown_type_is_refused_by_name(client: FlaskClient) -> None:
    answer = client.get("/events?types=order.placed,order.lost", headers=SERVICE)
    fault = answer.json["errors"][0]  # type: ignore[index]
    assert (answer.status_code, fault["member"]) == (400, "types")
    assert fault["message"].startswith("'order.lost' is no type of event: take some of order.placed, order.paid, ")


@pytest.mark.parametrize("cursor", ["x", "WyJ4IiwieCJd", "WzEsMl0"])
def test_a_malformed_cursor_is_refused(client: FlaskClient, cursor: str) -> None:
    answer = client.get("/events", query_string={"after": cursor}, headers=SERVICE)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")  # type: ignore[index]


def test_the_position_in_a_log_that_was_lost_is_refused(
    client: FlaskClient, settings: Settings, operator: Database
) -> None:
    with committed(settings.database_url, 2):
        cursor = get(client)["next"]
    last = "(SELECT id FROM order_events ORDER BY xid DESC, id DESC LIMIT 1)"
    operator.fetch_one(f"DELETE FROM order_events WHERE id = {last} RETURNING 1")
    with committed(settings.database_url, 3):
        answer = client.get("/events", query_string={"after": cursor}, headers=SERVICE)
    assert (answer.status_code, answer.json["code"]) == (409, "event_log_changed")  # type: ignore[index]


def test_staff_read_the_events_and_customers_do_not(client: FlaskClient) -> None:
    assert client.get("/events", headers=STAFF).status_code == 200
    answer = client.get("/events", headers=ALICE)
    assert (answer.status_code, answer.json["code"]) == (403, "staff_only")  # type: ignore[index]


def test_events_of_another_server_are_refused_until_they_are_adopted(
    client: FlaskClient, settings: Settings, operator: Database
) -> None:
    with committed(settings.database_url, 3):
        ids_before = ids(get(client))
    operator.fetch_one("UPDATE order_events SET xid = '9000000000000000000' RETURNING 1")  # as after pg_restore
    answer = client.get("/events", headers=SERVICE)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")  # type: ignore[index]
    assert answer.json["error"] == rules.RESTORED  # type: ignore[index]
    with psycopg.connect(settings.database_url.replace(f"={APP}", f"={OWNER}"), autocommit=True) as owner:
        owner.execute(adoption().encode())
    with committed(settings.database_url, 1):
        after = ids(get(client))
    assert after[:3] == ids_before
    assert len(after) == 4


def adoption() -> str:
    """Return the statements of the runbook that follow a restore of events from a dump."""
    runbook = (Path(__file__).parents[4] / "docs/runbooks/restore-database.md").read_text()
    return runbook.split("<!-- adopt-events -->")[1].split("```sql")[1].split("```")[0]


def test_the_service_can_neither_change_nor_delete_events(db: Database, settings: Settings) -> None:
    with committed(settings.database_url, 1):
        for statement in (
            "UPDATE order_events SET total_minor = 0 RETURNING 1",
            "DELETE FROM order_events RETURNING 1",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.fetch_one(statement)
