from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient
from standardwebhooks import Webhook

from chassis.db.database import Database
from chassis.testing.http import bearer
from chassis.testing.postgres import settle
from order_service import jobs
from order_service.services import Services
from order_service.settings import Settings
from order_service.webhooks import delivery
from order_service.webhooks.rules import uuid_of

ALICE, STAFF = bearer("u-alice", "alice"), bearer("u-staff", "staff", roles=("staff",))
BOTH = ["order.placed", "order.cancelled"]
URL = "https://hooks.example.com/orders"
NEXT_JOB = "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs) RETURNING *"
AUDIT = "SELECT staff_name, action, subject, before, after FROM audit_entries ORDER BY id"


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver(ThreadingHTTPServer):
    """An endpoint on this machine; `statuses` are those of its next responses, afterwards it answers 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?a=b"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(self.path, dict(self.headers.items()), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Write no access log."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def create(client: FlaskClient) -> Callable[..., Any]:
    """Create a webhook; return its document."""

    def create(url: str = URL, types: list[str] = BOTH) -> Any:
        answer = client.post("/admin/webhooks", json={"url": url, "types": types}, headers=STAFF)
        assert answer.status_code == 201, answer.text
        return answer.json

    return create


@pytest.fixture
def work(app: Any, db: Database) -> Callable[[], None]:
    """Return a function that does what the worker does: follow the events, run the jobs."""
    services: Services = app.services

    def work() -> None:
        follow(services)
        while job := db.fetch_one(
            "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs) RETURNING *"
        ):
            getattr(jobs, job.task_name)(services, **job.args)

    return work


@pytest.fixture
def rush(settings: Settings) -> Callable[[], None]:
    """Return a function that makes the next attempts due."""

    def rush() -> None:
        with psycopg.connect(settings.database_url) as connection:
            connection.execute("UPDATE webhook_deliveries SET attempt_at = now()")
            connection.execute("UPDATE webhooks SET rests_until = now()")

    return rush


def follow(services: Services) -> None:
    settle(services.database)
    jobs.follow_events(services)


def deliveries(client: FlaskClient, webhook: dict[str, Any], **query: str) -> Any:
    return client.get(f"/admin/webhooks/{webhook['id']}/deliveries", query_string=query, headers=STAFF).json


def test_a_webhook_gets_a_signed_event_of_each_change(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any
) -> None:
    stock(p1=5)
    webhook = create(receiver.url)
    order = place(p1=2).json
    client.post(f"/orders/{order['order_id']}/cancel", headers=ALICE)
    work()
    placed, cancelled = receiver.received
    data = {"order_id": order["order_id"], "status": "placed", "total": 20.0, "currency": "EUR", "amount": None}
    assert (placed.path, placed.headers["Content-Type"]) == ("/hook?a=b", "application/json")
    event = Webhook(webhook["secret"]).verify(placed.body, placed.headers)
    assert event == {
        "id": placed.headers["webhook-id"],
        "type": "order.placed",
        "timestamp": order["placed_at"],
        "data": data,
    }
    assert Webhook(webhook["secret"]).verify(cancelled.body, cancelled.headers)["type"] == "order.cancelled"
    assert "alice" not in str(receiver.received)
    found = deliveries(client, webhook)
    assert [(one["status"], one["attempts"], one["response_status"]) for one in found] == [("delivered", 1, 200)] * 2


def test_documented_receiver_accepts_a_delivery_once_and_no_forgery(
    *, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stock(p1=5)
    webhook = create(receiver.url)
    order_id = place(p1=2).json["order_id"]
    work()
    (delivered,) = receiver.received
    receive, known = example(), set[str]()
    assert receive(delivered.body, delivered.headers, webhook["secret"], known) == 204
    assert receive(delivered.body, delivered.headers, webhook["secret"], known) == 204
    assert receive(delivered.body + b" ", delivered.headers, webhook["secret"], known) == 401
    assert capsys.readouterr().out == f"order.placed {order_id}\n"


def example() -> Callable[..., int]:
    """Return the receiver of docs/webhooks.md."""
    document = (Path(__file__).parents[4] / "docs/webhooks.md").read_text()
    names: dict[str, Any] = {}
    exec(document.split("<!-- receiver -->")[1].split("```python")[1].split("```")[0], names)
    receive: Callable[..., int] = names["receive"]
    return receive


def test_a_webhook_gets_only_its_types_and_only_from_its_creation_on(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any
) -> None:
    stock(p1=5)
    url = place(p1=1).headers["Location"]
    create(receiver.url, ["order.cancelled"])
    place(p1=1)
    client.post(f"{url}/cancel", headers=ALICE)
    work()
    work()
    assert [json.loads(one.body)["type"] for one in receiver.received] == ["order.cancelled"]


def test_a_refused_delivery_is_repeated_with_the_same_id_later(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any, rush: Any
) -> None:
    stock(p1=5)
    webhook = create(receiver.url)
    receiver.statuses = [500, 302]
    place(p1=1)
    work()
    work()
    (waiting,) = deliveries(client, webhook)
    assert (waiting["status"], waiting["response_status"], waiting["failure"]) == ("waiting", 500, "refused")
    assert len(receiver.received) == 1
    rush()
    work()
    rush()
    work()
    assert [one.path for one in receiver.received] == ["/hook?a=b"] * 3  # the redirect was not followed
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    assert len({one.body for one in receiver.received}) == 1
    (done,) = deliveries(client, webhook)
    assert (done["status"], done["attempts"], done["failure"], done["next_attempt_at"]) == ("delivered", 3, None, None)


def test_an_endpoint_that_is_gone_is_switched_off_until_staff_switch_it_on(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any,
    rush: Any, operator: Database
) -> None:  # fmt: skip
    stock(p1=5)
    webhook = create(receiver.url)
    receiver.statuses = [410]
    place(p1=1)
    place(p1=1)
    work()
    rush()
    work()
    assert len(receiver.received) == 1
    (shown,) = client.get("/admin/webhooks", headers=STAFF).json  # type: ignore[misc]
    assert shown["active"] is False
    assert {one["status"] for one in deliveries(client, webhook)} == {"waiting"}
    assert {one["failure"] for one in deliveries(client, webhook)} == {None, "gone"}
    last = operator.fetch_all(AUDIT)[-1]
    assert (last.action, last.before["active"], last.after["active"]) == ("webhook.gone", True, False)
    client.patch(f"/admin/webhooks/{webhook['id']}", json={"active": True}, headers=STAFF)
    work()
    assert [one["status"] for one in deliveries(client, webhook)] == ["delivered", "delivered"]


def test_a_new_url_is_not_switched_off_by_the_old_one_that_is_gone(
    *, client: FlaskClient, create: Any, stock: Any, place: Any, app: Any, db: Database
) -> None:
    stock(p1=5)
    webhook = create()
    place(p1=1)
    follow(app.services)

    def post(*_: Any, **__: Any) -> int:
        client.patch(f"/admin/webhooks/{webhook['id']}", json={"url": f"{URL}/new"}, headers=STAFF)
        return 410

    delivery.deliver(db, webhook_id=uuid_of(webhook["id"], "w-"), local=True, post=post)
    assert client.get("/admin/webhooks", headers=STAFF).json[0]["active"] is True  # type: ignore[index]


def test_a_delivery_fails_after_three_days_and_is_replayed_by_staff(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any,
    rush: Any, operator: Database
) -> None:  # fmt: skip
    stock(p1=5)
    webhook = create(receiver.url)
    receiver.statuses = [500, 500]
    place(p1=1)
    work()
    operator.fetch_one("UPDATE webhook_deliveries SET give_up_at = now() RETURNING 1")
    rush()
    work()
    (failed,) = deliveries(client, webhook, status="failed")
    assert (failed["attempts"], failed["next_attempt_at"]) == (2, None)
    rush()
    work()
    assert len(receiver.received) == 2
    path = f"/admin/webhooks/{webhook['id']}/deliveries/{failed['event_id']}/replay"
    replayed = client.post(path, headers=STAFF)
    assert (replayed.status_code, replayed.json["status"]) == (200, "waiting")  # type: ignore[index]
    work()
    assert deliveries(client, webhook)[0]["status"] == "delivered"
    assert receiver.received[2].headers["webhook-id"] == receiver.received[0].headers["webhook-id"]
    last = operator.fetch_all(AUDIT)[-1]
    assert (last.action, last.before["status"], last.after["status"]) == ("webhook.replay", "failed", "waiting")


def test_a_changed_secret_signs_beside_the_old_one_for_a_day(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any, operator: Database
) -> None:
    stock(p1=5)
    webhook = create(receiver.url)
    new = client.post(f"/admin/webhooks/{webhook['id']}/secret", headers=STAFF).json
    assert new is not None
    place(p1=1)
    work()
    operator.fetch_one("UPDATE webhooks SET old_secret_until = now() RETURNING 1")
    place(p1=1)
    work()
    during, after = receiver.received
    for secret in (webhook["secret"], new["secret"]):
        Webhook(secret).verify(during.body, during.headers)
    Webhook(new["secret"]).verify(after.body, after.headers)
    assert " " not in after.headers["webhook-signature"]


def test_an_inactive_webhook_gets_nothing_of_what_happens_meanwhile(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any
) -> None:
    stock(p1=5)
    path = f"/admin/webhooks/{create(receiver.url)['id']}"
    changed = client.patch(path, json={"active": False}, headers=STAFF)
    assert (changed.status_code, changed.json["active"]) == (200, False)  # type: ignore[index]
    place(p1=1)
    work()
    client.patch(path, json={"active": True}, headers=STAFF)
    work()
    assert receiver.received == []
    place(p1=1)
    work()
    assert len(receiver.received) == 1


def test_every_change_of_a_webhook_leaves_an_audit_entry_without_secret(
    client: FlaskClient, create: Any, operator: Database
) -> None:
    webhook = create()
    path = f"/admin/webhooks/{webhook['id']}"
    client.patch(path, json={"url": "https://other.example.com"}, headers=STAFF)
    rotated = client.post(f"{path}/secret", headers=STAFF).json
    assert client.delete(path, headers=STAFF).status_code == 204
    first = {"url": URL, "types": BOTH, "active": True}
    second = {**first, "url": "https://other.example.com"}
    rows = operator.fetch_all(AUDIT)
    assert [tuple(row) for row in rows] == [
        ("staff", "webhook.create", webhook["id"], None, first),
        ("staff", "webhook.change", webhook["id"], first, second),
        ("staff", "webhook.rotate_secret", webhook["id"], None, None),
        ("staff", "webhook.delete", webhook["id"], second, None),
    ]
    assert webhook["secret"].startswith("whsec_")
    assert rotated is not None
    assert rotated["secret"] != webhook["secret"]


def test_the_list_of_webhooks_shows_no_secret(client: FlaskClient, create: Any) -> None:
    webhook = create()
    secret = webhook.pop("secret")
    answer = client.get("/admin/webhooks", headers=STAFF)
    assert answer.json == [webhook]
    assert secret not in answer.text


def test_a_deleted_webhook_takes_its_deliveries_along(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any, operator: Database
) -> None:
    stock(p1=5)
    gone, kept = create(receiver.url), create(receiver.url)
    place(p1=1)
    work()
    client.delete(f"/admin/webhooks/{gone['id']}", headers=STAFF)
    work()
    assert client.get(f"/admin/webhooks/{gone['id']}/deliveries", headers=STAFF).status_code == 404
    rows = operator.fetch_all("SELECT webhook_id FROM webhook_deliveries")
    assert [f"w-{row.webhook_id.hex}" for row in rows] == [kept["id"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/secret"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/e-00000000000000000000000000000000/replay"),
    ],
)
@pytest.mark.parametrize("webhook", ["w-00000000000000000000000000000000", "w-1", "x"])
def test_an_unknown_webhook_is_not_found(client: FlaskClient, method: str, path: str, webhook: str) -> None:
    answer = client.open(f"/admin/webhooks/{webhook}{path}", method=method, headers=STAFF)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")  # type: ignore[index]


def test_deliveries_are_listed_newest_first_a_page_at_a_time(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any
) -> None:
    stock(p1=5)
    webhook = create(receiver.url)
    for _ in range(3):
        place(p1=1)
    work()
    whole = deliveries(client, webhook)
    first = client.get(f"/admin/webhooks/{webhook['id']}/deliveries?limit=2", headers=STAFF)
    link = first.headers["Link"].removeprefix("<").partition(">")[0]
    second = client.get(link, headers=STAFF)
    assert first.json + second.json == whole  # type: ignore[operator]
    assert [one["event_id"] for one in whole] == sorted((one["event_id"] for one in whole), reverse=True)
    assert "Link" not in second.headers


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.2.example.com@127.0.0.1/",
        "ftp://hooks.example.com/",
        "https://10.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://",
        "https://hooks.example.com/#x",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:x/",
        "https://bücher.example/",
        "https://hooks.example.com/ x",
        "https://[::1/",
        "//hooks.example.com",
    ],
)
def test_an_unfit_url_is_refused_with_what_to_do(client: FlaskClient, db: Database, url: str) -> None:
    answer = client.post("/admin/webhooks", json={"url": url, "types": BOTH}, headers=STAFF)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_webhook_url")  # type: ignore[index]
    assert db.fetch_all("SELECT FROM webhooks") == []


def test_a_change_to_an_unfit_url_changes_nothing(client: FlaskClient, create: Any) -> None:
    webhook = create()
    answer = client.patch(f"/admin/webhooks/{webhook['id']}", json={"url": "https://10.0.0.1"}, headers=STAFF)
    assert answer.status_code == 400
    assert client.get("/admin/webhooks", headers=STAFF).json[0]["url"] == URL  # type: ignore[index]


@pytest.mark.parametrize("types", [[], ["order.lost"], "order.placed", None])
def test_unfit_types_are_refused(client: FlaskClient, types: Any) -> None:
    answer = client.post("/admin/webhooks", json={"url": URL, "types": types}, headers=STAFF)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")  # type: ignore[index]


@pytest.fixture
def three_due(*, client: FlaskClient, create: Any, stock: Any, place: Any, app: Any, db: Database) -> UUID:
    """Return the id of a webhook that has three deliveries to send."""
    stock(p1=9)
    webhook = create()
    for _ in range(3):
        place(p1=1)
    follow(app.services)
    db.fetch_one("DELETE FROM procrastinate_jobs RETURNING 1")
    return UUID(webhook["id"].removeprefix("w-"))


def responding_after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return an endpoint that lets the clock of the deliveries go on."""
    clock = [0.0]
    monkeypatch.setattr(delivery, "monotonic", lambda: clock[0])

    def post(*_: Any, **__: Any) -> int:
        clock[0] += seconds
        return 200

    return post


def test_an_endpoint_that_was_slow_rests_before_its_next_delivery(
    three_due: UUID, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery.deliver(db, webhook_id=three_due, local=True, post=responding_after(10, monkeypatch))
    row = db.fetch_one("SELECT count(*) FILTER (WHERE attempts > 0) AS tried FROM webhook_deliveries")
    rest = db.fetch_one("SELECT extract(epoch FROM rests_until - now()) AS seconds FROM webhooks").seconds
    assert row.tried == 1
    assert 0 < rest <= 60
    delivery.follow(db)
    assert db.fetch_all("SELECT FROM procrastinate_jobs") == []


def test_a_webhook_with_much_to_send_lets_others_have_their_turn(
    three_due: UUID, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RUN_SECONDS", 2)
    delivery.deliver(db, webhook_id=three_due, local=True, post=responding_after(1.5, monkeypatch))
    assert db.fetch_one("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'").count == 2
    delivery.follow(db)
    job = db.fetch_one("SELECT task_name, args FROM procrastinate_jobs")
    assert (job.task_name, job.args) == ("deliver_webhook", {"webhook_id": str(three_due)})


def test_an_attempt_that_died_is_made_again_after_its_lease(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any, rush: Any,
    monkeypatch: pytest.MonkeyPatch, app: Any,
) -> None:  # fmt: skip
    stock(p1=5)
    webhook = create(receiver.url)
    place(p1=1)
    follow(app.services)
    record = delivery._record
    monkeypatch.setattr(delivery, "_record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        work()
    monkeypatch.setattr(delivery, "_record", record)
    work()
    assert len(receiver.received) == 1  # the lease goes on
    rush()
    work()
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    assert len(receiver.received) == 2
    assert deliveries(client, webhook)[0]["status"] == "delivered"


def test_the_outcome_of_an_attempt_that_was_taken_over_is_ignored(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, rush: Any, app: Any, db: Database
) -> None:
    stock(p1=5)
    webhook = create(receiver.url)
    place(p1=1)
    follow(app.services)
    row = db.fetch_one("SELECT id AS webhook_id FROM webhooks")
    late = db.fetch_one(delivery.statements.CLAIM, {"webhook_id": row.webhook_id, "lease": 60})
    rush()
    delivery.deliver(db, webhook_id=row.webhook_id, local=True)
    delivery._record(db, late, delivery.Attempt(None, "timeout", 1))
    (found,) = deliveries(client, webhook)
    assert (found["status"], found["attempts"], found["failure"]) == ("delivered", 2, None)


def test_deliveries_that_ended_a_month_ago_are_deleted(
    *, client: FlaskClient, receiver: Receiver, create: Any, stock: Any, place: Any, work: Any,
    operator: Database, app: Any
) -> None:  # fmt: skip
    stock(p1=5)
    webhook = create(receiver.url)
    place(p1=1)
    place(p1=1)
    work()
    operator.fetch_one(
        "UPDATE webhook_deliveries SET finished_at = now() - interval '31 days' "
        "WHERE event_id = (SELECT event_id FROM webhook_deliveries ORDER BY 1 LIMIT 1) RETURNING 1"
    )
    jobs.forget_deliveries(app.services)
    work()
    assert len(deliveries(client, webhook)) == 1
    assert len(receiver.received) == 2
