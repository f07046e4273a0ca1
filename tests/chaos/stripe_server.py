"""The part of Stripe's API that the shop uses, with state of its own, faults, and events that are sent until accepted.

It keeps what it did on "disk": a fault ends no page and no refund. As at Stripe, an idempotency key stands for the same
parameters only, a refused request is not kept for its key, and a page must have 30 minutes left when it is opened.
"""

from __future__ import annotations

import hmac
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

WEBHOOK_SECRET = "whsec_of_the_suite_of_faults"  # gitleaks:allow
SECRET_KEY = "sk_test_of_the_suite_of_faults"  # gitleaks:allow
HALF_AN_HOUR = 1800
SLOW_SECONDS = 5  # longer than the shop waits
RESEND_SECONDS = 0.3
OFTEN_TWICE, FORGED = 0.3, 0.1
"""How often an event that was accepted is sent again, and how often a forged one is sent before it."""

Reply = tuple[int, dict[str, Any]]


class StripeServer:
    """`fault` decides about the next requests: away, slow or lost (done, then the connection is closed)."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.fault: Callable[[], str] = lambda: ""
        self.shop_port = 0
        self.url = ""
        self.lock = threading.RLock()
        self.over = threading.Event()
        self._kept: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
        self._events: list[tuple[float, dict[str, Any]]] = []
        self._random = random.Random(5)

    # What people do.

    def pay(self, url: str, *, amount: int | None = None) -> bool:
        """Pay on a page as its customer does; False when it has ended."""
        with self.lock:
            session = self.sessions[urlsplit(url).path.rpartition("/")[2]]
            if session["status"] != "open":
                return False
            session.update(status="complete", payment_status="paid", payment_intent=f"pi_{session['id']}")
            session["amount_total"] = amount or session["amount_total"]
            self._tell("checkout.session.completed", session)
        return True

    def fail(self, url: str) -> None:
        """Let the bank refuse a payment after days."""
        with self.lock:
            session = self.sessions[urlsplit(url).path.rpartition("/")[2]]
            if session["status"] == "open":
                session.update(status="complete", payment_intent=f"pi_{session['id']}")
                self._tell("checkout.session.async_payment_failed", session)

    def _tell(self, kind: str, session: Mapping[str, Any]) -> None:
        event = {
            "id": f"evt_{kind}_{session['id']}",
            "object": "event",
            "type": kind,
            "data": {"object": dict(session)},
        }
        self._events.append((time.monotonic() + self._random.uniform(0, RESEND_SECONDS), event))

    @property
    def has_told_all(self) -> bool:
        with self.lock:
            return not self._events

    def held(self) -> dict[str, int]:
        """Return what was paid and not refunded, by currency."""
        with self.lock:
            sums: Counter[str] = Counter()
            for session in self.sessions.values():
                if session["payment_status"] == "paid":
                    sums[session["currency"].upper()] += session["amount_total"]
            for refund in self.refunds.values():
                sums[refund["currency"].upper()] -= refund["amount"]
            return {currency: amount for currency, amount in sums.items() if amount}

    # The API.

    def answer(self, method: str, path: str, form: dict[str, str], key: str | None) -> Reply:
        """Do what a request asks, once for each idempotency key."""
        with self.lock:
            if key in self._kept:
                asked, before = self._kept[key]
                return (200, before) if asked == form else _refused("idempotency_error", "other parameters")
            status, document = self._do(method, path.strip("/").split("/")[1:], form)
            if key and status == 200:
                self._kept[key] = (form, dict(document))
            return status, dict(document)

    def _do(self, method: str, path: list[str], form: dict[str, str]) -> Reply:  # noqa: PLR0911 - one for each route
        match method, path:
            case "POST", ["checkout", "sessions"]:
                return self._open(form)
            case "GET", ["checkout", "sessions"]:
                return 200, _listed([*self.sessions.values()])
            case "GET", ["checkout", "sessions", page] if page in self.sessions:
                return 200, self._expanded(self.sessions[page])
            case "POST", ["checkout", "sessions", page, "expire"] if page in self.sessions:
                return self._expire(self.sessions[page])
            case "GET", ["refunds"]:
                of_payment = [
                    each for each in self.refunds.values() if each["payment_intent"] == form["payment_intent"]
                ]
                return 200, _listed(of_payment)
            case "POST", ["refunds"]:
                return self._refund(form)
        return 404, {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "no such thing"}}

    def _open(self, form: dict[str, str]) -> Reply:
        if int(form["expires_at"]) < time.time() + HALF_AN_HOUR:
            return _refused("invalid_request_error", "expires_at must be at least 30 minutes from now")
        reference = form["client_reference_id"]
        if any(session["client_reference_id"] == reference for session in self.sessions.values()):
            self.problems.append(f"a second page for {reference}")
        page = f"cs_test_{len(self.sessions) + 1}"
        self.sessions[page] = {
            "id": page, "object": "checkout.session", "url": f"https://checkout.stripe.example/c/pay/{page}",
            "status": "open", "payment_status": "unpaid", "payment_intent": None, "client_reference_id": reference,
            "metadata": {"payment_id": form["metadata[payment_id]"]},
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "currency": form["line_items[0][price_data][currency]"],
        }  # fmt: skip
        return 200, self.sessions[page]

    def _expanded(self, session: dict[str, Any]) -> dict[str, Any]:
        intent = session["payment_intent"]
        return {
            **session,
            "payment_intent": intent and {"id": intent, "object": "payment_intent", "status": "succeeded"},
        }

    def _expire(self, session: dict[str, Any]) -> Reply:
        if session["status"] != "open":
            return _refused("invalid_request_error", "only open sessions can be expired")
        session.update(status="expired", url=None)
        self._tell("checkout.session.expired", session)
        return 200, session

    def _refund(self, form: dict[str, str]) -> Reply:
        intent, amount = form["payment_intent"], int(form["amount"])
        session = next(each for each in self.sessions.values() if each["payment_intent"] == intent)
        same = [each for each in self.refunds.values() if each["payment_intent"] == intent]
        if any(each["metadata"]["refund_id"] == form["metadata[refund_id]"] for each in same):
            self.problems.append(f"{form['metadata[refund_id]']} was refunded twice")
        if sum(each["amount"] for each in same) + amount > session["amount_total"]:
            self.problems.append(f"more than paid is refunded of {intent}")
            return _refused("invalid_request_error", "more than is left")
        identity = f"re_{len(self.refunds) + 1}"
        self.refunds[identity] = {
            "id": identity, "object": "refund", "amount": amount, "currency": session["currency"],
            "payment_intent": intent, "status": "succeeded", "metadata": {"refund_id": form["metadata[refund_id]"]},
        }  # fmt: skip
        return 200, self.refunds[identity]

    # Events.

    def send_events(self) -> None:
        """Send the events in any order, some of them again, and forged ones; each until the shop accepts it."""
        while not self.over.wait(0.02):
            with self.lock:
                due = [event for event in self._events if event[0] <= time.monotonic()]
            if due:
                self._send_one(self._random.choice(due))

    def _send_one(self, waiting: tuple[float, dict[str, Any]]) -> None:
        event = waiting[1]
        if self._random.random() < FORGED and self._post(event, "whsec_of_somebody_else") == 200:  # gitleaks:allow
            self.problems.append(f"a forged event was accepted: {event}")
        accepted = self._post(event, WEBHOOK_SECRET) == 200
        with self.lock:
            self._events.remove(waiting)
            if not accepted or self._random.random() < OFTEN_TWICE:
                self._events.append((time.monotonic() + RESEND_SECONDS, event))

    def _post(self, event: dict[str, Any], secret: str) -> int:
        body, now = json.dumps(event), int(time.time())
        signature = hmac.new(secret.encode(), f"{now}.{body}".encode(), "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={now},v1={signature}"}
        with (
            suppress(OSError, HTTPException, ValueError),
            closing(HTTPConnection("127.0.0.1", self.shop_port, timeout=10)) as connection,
        ):
            connection.request("POST", "/payments/stripe/events", body, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            self.outcomes[said.get("outcome") or said.get("code")] += 1
            return answer.status
        return 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stripe: StripeServer

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        fault = self.stripe.fault()
        if fault == "away":
            self.close_connection = True
            return
        form = dict(parse_qsl(body or url.query))
        status, document = self.stripe.answer(self.command, url.path, form, self.headers.get("Idempotency-Key"))
        if fault == "slow":
            self.stripe.over.wait(SLOW_SECONDS)
        if fault in {"slow", "lost"}:
            self.close_connection = True
            return
        self._write(status, json.dumps(document).encode())

    do_GET = do_POST  # noqa: N815 - http.server's name

    def _write(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write no access log."""


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that closed the connection: here they are killed."""


def _listed(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "has_more": False, "url": "/v1/list", "data": data}


def _refused(kind: str, message: str) -> Reply:
    return 400, {"error": {"type": kind, "code": None, "message": message}}


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """Serve on loopback and send events."""
    stripe = StripeServer()
    with Server(("127.0.0.1", 0), type("OfThisTest", (Handler,), {"stripe": stripe})) as server:
        stripe.url = f"http://127.0.0.1:{server.server_address[1]}"
        for run in (server.serve_forever, stripe.send_events):
            threading.Thread(target=run, daemon=True).start()
        try:
            yield stripe
        finally:
            stripe.over.set()
            server.shutdown()
