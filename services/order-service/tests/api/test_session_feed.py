"""order-service's side of the session feed; for both real services see tests/e2e/test_trust.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.service_client import ServiceCallFailed, ServiceClient
from chassis.testing.http import bearer, closing
from order_service import create_app
from order_service.sessions.session_feed import REMEMBERED_SECONDS, SessionFeed
from order_service.settings import Settings

PHONE = bearer("u-alice", "alice", "s-phone")
SHIP_TO = {"recipient": "Alice Liddell", "street": "1 Main St", "city": "Oxford", "postal_code": "OX1", "country": "GB"}


class Feed(ServiceClient):
    """A fake feed with two endings per page; it fails while `away`."""

    def __init__(self) -> None:
        self.endings: list[dict[str, Any]] = []
        self.away = False

    def ended(self, *, session_id: str | None = None, user_id: str | None = None) -> None:
        version = len(self.endings) + 1
        at = "2999-01-01T00:00:00Z"
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


def test_order_in_flight_during_the_erasure_is_erased(
    client: FlaskClient, db: Database, stock: Callable[..., None], feed: Feed, session_feed: SessionFeed
) -> None:
    stock(p1=5)
    feed.ended(user_id="u-alice")
    session_feed.step()
    order_with_a_name(client)
    session_feed.step()
    assert "Oxford" not in everything(db)


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
@pytest.mark.parametrize("max_age", [0, 7200])
def test_old_feed_within_the_setting_accepts_orders(
    settings: Settings, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch, max_age: int
) -> None:
    monkeypatch.setattr(SessionFeed, "age_seconds", 3600.0)
    monkeypatch.setattr(SessionFeed, "start", lambda _: None)
    stock(p1=5)
    changes = {"user_service_url": "http://127.0.0.1:1", "session_feed_max_age_seconds": max_age}
    with closing(create_app(settings.model_copy(update=changes))) as app:
        answer = app.test_client().post("/orders", json={"items": [{"product_id": "p1"}]}, headers=PHONE)
    assert answer.status_code == 201
