"""order-service's side of the session feed; for both real services see tests/e2e/test_trust.py."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database
from chassis.problems import Unavailable
from chassis.service_client import ServiceCallFailed, ServiceClient
from chassis.testing.http import bearer, closing
from order_service import create_app
from order_service.fulfilment.actions import change_contact
from order_service.orders.rules import FeedTooOld
from order_service.sessions import actions
from order_service.sessions.session_feed import REMEMBERED_SECONDS, STAFF_FEED_SECONDS, SessionFeed
from order_service.settings import Settings

PHONE = bearer("u-alice", "alice", "s-phone")
SHIP_TO = {"recipient": "Alice Liddell", "street": "1 Main St", "city": "Oxford", "postal_code": "OX1", "country": "GB"}


class Feed(ServiceClient):
    """A fake feed with two endings per page; it fails while `away`."""

    def __init__(self) -> None:
        self.endings: list[dict[str, Any]] = []
        self.away = False
        self.second = 0

    def ended(self, *, session_id: str | None = None, user_id: str | None = None) -> None:
        version = self.endings[-1]["version"] + 1 if self.endings else 1
        self.second += 1
        at = f"2999-01-01T00:00:{self.second:02}Z"
        self.endings.append({"version": version, "at": at, "session_id": session_id, "user_id": user_id})

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        assert path == "/ended-sessions"
        if self.away:
            raise ServiceCallFailed("away")
        return {"endings": [ending for ending in self.endings if ending["version"] > int(query["after"])][:2]}


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def session_feed(db: Database, feed: Feed) -> SessionFeed:
    return SessionFeed(db, feed, None)


def test_feed_is_read_to_its_end_over_several_pages(feed: Feed, session_feed: SessionFeed) -> None:
    for number in range(7):
        feed.ended(session_id=f"s-{number}")
    session_feed.step()
    assert all(session_feed.has_ended(f"s-{number}") for number in range(7))


def test_staff_are_refused_until_the_feed_was_read_once(feed: Feed, session_feed: SessionFeed) -> None:
    feed.away = True
    with pytest.raises(ServiceCallFailed):
        session_feed.step()
    with pytest.raises(FeedTooOld):
        session_feed.require_current()
    feed.away = False
    session_feed.step()
    session_feed.require_current()


def test_staff_are_refused_seconds_after_the_feed_was_read(
    session_feed: SessionFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_feed.step()
    there = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: there + STAFF_FEED_SECONDS + 1)
    with pytest.raises(FeedTooOld):
        session_feed.require_current()
    assert not session_feed.has_ended("s-phone")


def test_ended_sessions_are_kept_during_an_outage_and_after_a_restart(
    db: Database, feed: Feed, session_feed: SessionFeed
) -> None:
    feed.ended(session_id="s-phone")
    session_feed.step()
    feed.away = True
    for known_by in (session_feed, SessionFeed(db, feed, None)):
        with pytest.raises(ServiceCallFailed):
            known_by.step()
        assert known_by.has_ended("s-phone")


def test_ended_sessions_older_than_any_token_are_forgotten(
    feed: Feed, session_feed: SessionFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("order_service.sessions.session_feed.time.monotonic", lambda: now[0])
    feed.ended(session_id="s-old")
    session_feed.step()
    now[0] += REMEMBERED_SECONDS + 1
    feed.ended(session_id="s-new")
    session_feed.step()
    assert (session_feed.has_ended("s-old"), session_feed.has_ended("s-new")) == (False, True)


def test_feed_page_of_another_worker_changes_nothing(db: Database, feed: Feed, session_feed: SessionFeed) -> None:
    slower = SessionFeed(db, feed, None)
    slower.step()
    feed.ended(session_id="s-phone")
    feed.ended(user_id="u-bob")
    for worker in (session_feed, slower):
        worker.step()
    row = db.fetch_one("SELECT (SELECT count(*) FROM ended_sessions), (SELECT version FROM session_feed)")
    assert row == (1, 2)


def order_with_a_name(client: FlaskClient) -> Any:
    body = {"items": [{"product_id": "p1"}], "ship_to": SHIP_TO}
    return client.post("/orders", json=body, headers=PHONE | {"Idempotency-Key": "for-Alice"})


def wait_for_a_lock(db: Database) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while db.fetch_one(waiting) is None:
        time.sleep(0.01)


def everything(db: Database) -> str:
    rows = db.fetch_all("SELECT to_json(o)::text AS row FROM orders o")
    return "".join(row.row for row in rows)


def test_erasing_a_customer_keeps_amounts_and_removes_personal_data(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, session_feed: SessionFeed
) -> None:
    stock(p1=5)
    placed = order_with_a_name(client)
    others = client.post("/orders", json={"items": [{"product_id": "p1"}]}, headers=bearer("u-bob", "bob"))
    feed.ended(user_id="u-alice")
    session_feed.step()
    left = everything(db)
    assert not [secret for secret in ('alice"', "Alice", *SHIP_TO.values()) if secret in left.replace("u-alice", "")]
    erased = client.get(placed.headers["Location"], headers=PHONE).json
    assert erased == {**placed.json, "user": None, "ship_to": None}
    assert client.get(others.headers["Location"], headers=bearer("u-bob", "bob")).data == others.data


def test_erasing_an_account_removes_it_from_the_audit(db: Database, feed: Feed, session_feed: SessionFeed) -> None:
    stella, terry = Caller("u-stella", "stella", "s-1"), Caller("u-terry", "terry", "s-2")
    with db.transaction() as connection:
        audit.note(connection, stella, "customer.note", "u-alice", before={"n": 1}, after={"n": 2})
        audit.note(connection, terry, "product.change", "p1", before={"n": 3}, after={"n": 4})
    feed.ended(user_id="u-alice")
    feed.ended(user_id="u-terry")
    session_feed.step()
    rows = db.fetch_all("SELECT staff_name, subject, before, after FROM audit_entries ORDER BY id")
    assert rows == [("stella", "u-alice", None, None), (None, "p1", {"n": 3}, {"n": 4})]


def test_erasing_an_account_removes_what_staff_noted_about_its_orders(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, session_feed: SessionFeed
) -> None:
    stock(p1=5)
    order_id = str(order_with_a_name(client).json["order_id"])
    stella = Caller("u-stella", "stella", "s-1", ("staff",))
    change_contact(db, staff=stella, order_id=order_id, changes={"email": "a.lice@example.org"})
    feed.ended(user_id="u-alice")
    session_feed.step()
    rows = db.fetch_all("SELECT subject, before, after FROM audit_entries WHERE staff_name = 'stella'")
    assert rows == [(order_id, None, None)]


def sweep(session_feed: SessionFeed) -> None:
    """Take a step that erases late orders."""
    session_feed._swept_at = -math.inf
    session_feed.step()


@pytest.mark.usefixtures("session_feed")
def test_instance_without_the_feed_refuses_orders_of_deleted_buyers(
    client: FlaskClient, db: Database, stock: Callable[..., None], left: Callable[[str], int], feed: Feed
) -> None:
    stock(p1=5)
    feed.ended(user_id="u-alice")
    SessionFeed(db, feed, None).step()  # another instance; this one follows no feed
    answer = order_with_a_name(client)
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")
    assert (everything(db), left("p1")) == ("", 5)


def test_order_committed_after_the_erasure_is_erased_at_any_time(
    client: FlaskClient, db: Database, settings: Settings, stock: Callable[..., None], feed: Feed
) -> None:
    stock(p1=5)
    with psycopg.connect(settings.database_url) as importing, ThreadPoolExecutor(1) as pool:
        importing.execute("SELECT FROM products FOR UPDATE")
        order = pool.submit(order_with_a_name, client)
        wait_for_a_lock(db)  # the statement has begun, and has seen no deleted account
        feed.ended(user_id="u-alice")
        SessionFeed(db, feed, None).step()
        importing.commit()
        assert order.result().status_code == 201
    assert "Oxford" in everything(db)
    db.fetch_one("UPDATE erased_buyers SET erased_at = now() - interval '1 year' RETURNING 1")
    sweep(SessionFeed(db, feed, None))
    assert "Oxford" not in everything(db)


def test_sweeps_reach_every_deleted_account(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("order_service.sessions.session_feed.SWEEP_BUYERS", 1)
    stock(p1=5)
    order_with_a_name(client)
    db.fetch_one(
        "INSERT INTO erased_buyers SELECT name, now() FROM unnest('{u-a,u-alice,u-b}'::text[]) AS name RETURNING 1"
    )
    session_feed = SessionFeed(db, feed, None)
    for _ in range(5):
        sweep(session_feed)
    assert "Oxford" not in everything(db)
    assert session_feed._swept_to == "u-a"  # once round, and on


def test_restored_log_that_is_shorter_is_read_again_from_its_start(
    feed: Feed, session_feed: SessionFeed, db: Database
) -> None:
    for number in range(5):
        feed.ended(session_id=f"s-{number}")
    session_feed.step()
    del feed.endings[2:]
    feed.ended(session_id="s-new")
    session_feed.step()
    assert session_feed.has_ended("s-new")
    assert session_feed.has_ended("s-4")  # what was learned stays
    assert actions.load_position(db).version == 3


def test_restored_log_that_has_grown_past_the_position_is_read_again(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, session_feed: SessionFeed
) -> None:
    stock(p1=5)
    order_with_a_name(client)
    for number in range(3):
        feed.ended(session_id=f"s-{number}")
    session_feed.step()
    feed.endings.clear()
    feed.ended(user_id="u-alice")
    for number in range(4):
        feed.ended(session_id=f"s-new-{number}")
    SessionFeed(db, feed, None).step()  # a restart, with the stored position
    assert "Oxford" not in everything(db)


def test_sessions_are_refused_until_a_restored_log_is_read(
    db: Database, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_feed = SessionFeed(db, feed, None, max_age_seconds=900)
    feed.ended(session_id="s-phone")
    session_feed.step()
    feed.endings.clear()
    feed.ended(session_id="s-other")
    with monkeypatch.context() as broken:
        broken.setattr(actions, "learn", unavailable)
        with pytest.raises(Unavailable):
            session_feed.step()
        with pytest.raises(FeedTooOld):
            session_feed.has_ended("s-laptop")
    session_feed.step()
    assert (session_feed.has_ended("s-laptop"), session_feed.has_ended("s-other")) == (False, True)


def unavailable(*_: object, **__: object) -> None:
    raise Unavailable


def restore_our_database(db: Database, feed: Feed) -> None:
    """Bring back the state at the feed's first entry."""
    db.fetch_one("DELETE FROM erased_buyers RETURNING 1")
    db.fetch_one("UPDATE session_feed SET version = 1, at = %(at)s RETURNING 1", {"at": feed.endings[0]["at"]})


def test_endings_lost_by_a_restore_of_our_database_are_learned_again(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, session_feed: SessionFeed
) -> None:
    stock(p1=5)
    feed.ended(session_id="s-phone")
    session_feed.step()
    feed.ended(user_id="u-alice")
    session_feed.step()
    restore_our_database(db, feed)
    assert order_with_a_name(client).status_code == 201
    sweep(session_feed)
    session_feed.step()
    assert "Oxford" not in everything(db)


@pytest.mark.parametrize("new", [1, 2, 5])
def test_new_endings_after_a_restore_of_our_database_hide_no_lost_one(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, new: int
) -> None:
    stock(p1=5)
    workers = [SessionFeed(db, feed, None), SessionFeed(db, feed, None)]
    feed.ended(session_id="s-phone")
    feed.ended(user_id="u-alice")
    for worker in workers:
        worker.step()
    restore_our_database(db, feed)
    assert order_with_a_name(client).status_code == 201
    for number in range(new):
        feed.ended(session_id=f"s-{number}")
    for worker in workers:
        worker.step()
    assert "Oxford" not in everything(db)
    assert actions.load_position(db).version == len(feed.endings)


def test_worker_behind_the_stored_position_does_not_set_it_back(
    db: Database, feed: Feed, session_feed: SessionFeed
) -> None:
    slower = SessionFeed(db, feed, None)
    slower.step()
    for number in range(7):
        feed.ended(session_id=f"s-{number}")
        session_feed.step()
    with pytest.MonkeyPatch.context() as behind:
        behind.setattr(slower, "_load", unavailable)  # reading the whole list again would be slow
        slower.step()
    assert all(slower.has_ended(f"s-{number}") for number in range(7))
    assert actions.load_position(db).version == 7


def test_position_of_another_log_in_a_restored_database_is_not_trusted(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, session_feed: SessionFeed
) -> None:
    stock(p1=5)
    feed.ended(session_id="s-phone")
    session_feed.step()
    db.fetch_one("UPDATE session_feed SET version = 9, at = '2998-01-01T00:00:00Z' RETURNING 1")
    order_with_a_name(client)
    feed.ended(user_id="u-alice")
    sweep(session_feed)
    session_feed.step()
    assert "Oxford" not in everything(db)
    assert actions.load_position(db).version == 2


def test_feed_age_is_the_time_since_the_last_successful_step(
    feed: Feed, session_feed: SessionFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("order_service.sessions.session_feed.time.monotonic", lambda: now[0])
    session_feed.step()
    now[0] += 5
    assert session_feed.age_seconds == 5
    feed.away = True
    with pytest.raises(ServiceCallFailed):
        session_feed.step()
    assert session_feed.age_seconds == 5
    feed.away = False
    session_feed.step()
    assert session_feed.age_seconds == 0


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(("max_age", "statuses"), [(0, [201, 200, 404]), (7200, [201, 200, 404]), (900, [503] * 3)])
def test_feed_older_than_the_setting_refuses_every_signed_in_route(
    settings: Settings,
    stock: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    max_age: int,
    statuses: list[int],
) -> None:
    monkeypatch.setattr(SessionFeed, "age_seconds", 3600.0)
    monkeypatch.setattr(SessionFeed, "start", lambda _: None)
    stock(p1=5)
    changes = {"user_service_url": "http://127.0.0.1:1", "session_feed_max_age_seconds": max_age}
    with closing(create_app(settings.model_copy(update=changes))) as app:
        client = app.test_client()
        answers = [
            client.post("/orders", json={"items": [{"product_id": "p1"}]}, headers=PHONE),
            client.get("/orders", headers=PHONE),
            client.post("/orders/o-1/cancel", headers=PHONE),
        ]
        assert client.get("/products").status_code == 200
    assert [answer.status_code for answer in answers] == statuses


def test_readyz_shows_no_age_while_another_log_is_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SessionFeed, "age_seconds", math.inf)
    monkeypatch.setattr(SessionFeed, "start", lambda _: None)
    with closing(create_app(settings.model_copy(update={"user_service_url": "http://127.0.0.1:1"}))) as app:
        assert app.test_client().get("/readyz").json["details"] == {"session_feed_age_seconds": None}  # type: ignore[index]
