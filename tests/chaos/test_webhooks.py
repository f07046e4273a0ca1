"""Crash the worker at each step of a delivery, and the service at each step of setting a webhook up."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from chaos import failpoints
from chaos.environment import Environment
from chaos.failpoints import Deed
from chaos.report import Outcome
from chaos.test_failpoints import insist
from chaos.wire import Line, Unanswered
from chassis.auth.jwt import JwtSigner
from chassis.context import Caller
from localshop.child import Child
from localshop.service import Service
from user_service.sessions.keys import KeyRing

WEBHOOK = """
INSERT INTO webhooks (url, types, secret) VALUES (%s, '{order.placed,order.cancelled}', 'secret') RETURNING id::text
"""
MISSING = """
SELECT count(*) FROM order_events JOIN webhooks ON webhooks.id = %s AND at >= created_at
LEFT JOIN webhook_deliveries AS d ON webhook_id = webhooks.id AND event_id = order_events.id
WHERE d.status IS DISTINCT FROM 'delivered'
"""
MADE = """
SELECT 'e-' || replace(order_events.id::text, '-', '')
FROM order_events JOIN webhooks ON webhooks.id = %s AND at >= created_at
"""
HURRY = (
    "UPDATE webhook_deliveries SET attempt_at = now() WHERE status = 'waiting' AND attempt_at > now() + interval '1 s'"
)
FORGET = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES (%(task)s, %(task)s, %(args)s)"


class Endpoint(BaseHTTPRequestHandler):
    received: Counter[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.received[self.headers["webhook-id"]] += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Write no access log."""


@contextmanager
def endpoint() -> Iterator[tuple[str, Counter[str]]]:
    """Serve an endpoint that counts how often each event arrived."""
    handler = type("Handler", (Endpoint,), {"received": Counter()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", handler.received  # type: ignore[attr-defined]
        server.shutdown()


def worker_of(service: Service) -> Child:
    """Return the process that runs the background jobs of order-service."""
    command = (sys.executable, "-m", "order_service", "work")
    environment = {**service.environment, "PORT": "0"}
    return Child("worker", command, log=service.log.with_name("worker.log"), cwd=service.cwd, environment=environment)


def run(environment: Environment, statement: str, *parameters: Any) -> Any:
    with psycopg.connect(environment.shop.order.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), *parameters)
        return cursor.fetchall() if cursor.description else []


def place(environment: Environment, line: Line) -> None:
    order = {"items": [{"product_id": "p1"}]}
    assert insist(environment, line, ("POST", "/orders", order, environment.customers[0])).status == 201


def crash_at(environment: Environment, worker: Child, point: str) -> None:
    """Wait until the worker has crashed at the point; start it again."""
    armed: Path = environment.arm(point)
    deadline = time.monotonic() + 40
    while armed.exists() or worker.running:
        assert time.monotonic() < deadline, f"the worker did not reach {point}"
        run(environment, HURRY)
        time.sleep(0.1)
    worker.launch()


@pytest.mark.budget(300)
def test_every_event_reaches_its_endpoint_although_the_worker_crashes(environment: Environment) -> None:
    line, worker = Line(environment.ports), worker_of(environment.shop.order)
    with endpoint() as (url, received):
        [(webhook,)] = run(environment, WEBHOOK, [url])
        worker.launch()
        for point in failpoints.of(Deed.DELIVER):
            place(environment, line)
            task = point.partition(".")[0]
            if task.startswith("forget"):
                args = f'{{"webhook_id": "{uuid4()}"}}' if task.endswith("webhook") else "{}"
                run(environment, FORGET, {"task": task, "args": args})
            crash_at(environment, worker, point)
        crashed_at = time.monotonic()
        while run(environment, MISSING, [webhook]) != [(0,)]:
            assert time.monotonic() < crashed_at + 90
            run(environment, HURRY)
            time.sleep(0.2)
    worker.stop()
    line.close()
    made = [event_id for (event_id,) in run(environment, MADE, [webhook])]
    assert len(made) >= len(failpoints.of(Deed.DELIVER))
    assert sorted(received) == sorted(made)
    crashes, recovery = len(failpoints.of(Deed.DELIVER)), time.monotonic() - crashed_at
    environment.outcomes.append(Outcome("crashes of the worker", crashes, len(made), 0, 0, recovery))


CHANGES = {
    "create_webhook": ("POST", "", {"url": "https://hooks.example.com/", "types": ["order.placed"]}, 201),
    "change_webhook": ("PATCH", "/{webhook}", {"active": False}, 200),
    "rotate_webhook_secret": ("POST", "/{webhook}/secret", None, 200),
    "replay_delivery": ("POST", "/{webhook}/deliveries/{event}/replay", None, 200),
    "delete_webhook": ("DELETE", "/{webhook}", None, 204),
}
AUDIT_OF = {"rotate_webhook_secret": "webhook.rotate_secret", "replay_delivery": "webhook.replay"}
DELIVERY = """
INSERT INTO webhook_deliveries (webhook_id, event_id, type, payload) VALUES (%s, uuidv7(), 'order.placed', '{}')
RETURNING 'e-' || replace(event_id::text, '-', '')
"""


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.WEBHOOK))
def test_a_webhook_is_changed_with_its_audit_entry_or_not_at_all(point: str, environment: Environment) -> None:
    name, _, moment = point.partition(".")
    method, path, body, success = CHANGES[name]
    [(webhook,)] = run(environment, WEBHOOK, ["https://hooks.example.com/"])
    [(event,)] = run(environment, DELIVERY, [webhook])
    path = "/admin/webhooks" + path.format(webhook=f"w-{webhook.replace('-', '')}", event=event)
    action = AUDIT_OF.get(name) or f"webhook.{name.removesuffix('_webhook')}"
    audited = "SELECT count(*) FROM audit_entries WHERE action = %s"
    [(before,)] = run(environment, audited, [action])

    armed = environment.arm(point)
    line = Line(environment.ports)
    with pytest.raises(Unanswered):
        line.ask(method, path, body, staff(environment))
    assert not armed.exists()
    crashed_at = time.monotonic()
    written = moment == "committed" or (moment == "after" and name != "delete_webhook")
    [(after,)] = run(environment, audited, [action])
    assert after - before == written
    again = insist(environment, line, (method, path, body, staff(environment)))
    line.close()
    assert again.status == (404 if written and name == "delete_webhook" else success)
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))


def staff(environment: Environment) -> dict[str, str]:
    """Return the token of a member of staff, signed with the shop's keys."""
    ring = KeyRing(Path(environment.setting("TOKEN_KEYS_FILE")))
    signer = JwtSigner(ring, issuer="b2c-user-service", audience="b2c-shop", ttl_seconds=900)
    return {"Authorization": f"Bearer {signer.sign(Caller('u-staff', 'staff', 's-staff', ('staff',)))}"}
