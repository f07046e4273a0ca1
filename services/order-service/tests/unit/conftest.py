"""A server that keeps pages and refunds as Stripe does, and fails as its script says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest


class Request(NamedTuple):
    """What arrived."""

    method: str
    path: str
    form: dict[str, str]
    headers: dict[str, str]


class FakeStripe:
    """Pages, refunds and idempotency keys; `script` has one entry for each of the next requests.

    An entry is a status to refuse with, `(status, code)`, or: "silence" answers never, "close" closes the connection
    first, "lost" does what is asked and closes it then, "page" answers HTML, "twice" answers again when the connection
    is used next, "well" as ever.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: list[Any] = []
        self.requests: list[Request] = []
        self.pages: dict[str, dict[str, Any]] = {}
        self.refunds: list[dict[str, Any]] = []
        self.kept: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
        self.hours_later = 0
        self.over = threading.Event()

    def answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        """Do what a request asks, once for each idempotency key."""
        key = request.headers.get("idempotency-key", "")
        if key in self.kept:
            asked, answer = self.kept[key]
            if asked != request.form:
                return 400, error("idempotency_error", None)
            return 200, answer
        status, answer = self._do(request)
        if request.method == "POST" and status == 200:
            self.kept[key] = (request.form, dict(answer))
        return status, answer

    def _do(self, request: Request) -> tuple[int, dict[str, Any]]:
        document: dict[str, Any] | None = None
        match request.method, request.path.strip("/").split("/")[1:]:
            case "POST", ["checkout", "sessions"]:
                document = self._open(request.form) if self._in_time(request.form) else TOO_SOON
            case "GET", ["checkout", "sessions"]:
                document = listed(self.pages.values())
            case "GET", ["checkout", "sessions", page]:
                document = self.pages.get(page)
            case "POST", ["checkout", "sessions", page, "expire"]:
                document = self._expire(self.pages.get(page))
            case "GET", ["refunds"]:
                document = listed(self.refunds)
            case "POST", ["refunds"]:
                document = self._refund(request.form)
        if document is None:
            return 404, error("invalid_request_error", "resource_missing")
        return (400 if "error" in document else 200), document

    def _in_time(self, form: dict[str, str]) -> bool:
        now = time.time() + 3600 * self.hours_later
        return int(form.get("expires_at", now + 86400)) >= now + 1800

    def _open(self, form: dict[str, str]) -> dict[str, Any]:
        identity = f"cs_test_{len(self.pages) + 1}"
        page: dict[str, Any] = {
            "id": identity,
            "object": "checkout.session",
            "url": f"https://checkout.stripe.com/c/pay/{identity}#secret",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "client_reference_id": form["client_reference_id"],
            "metadata": {"payment_id": form["metadata[payment_id]"]},
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "currency": form["line_items[0][price_data][currency]"],
        }
        self.pages[identity] = page
        return page

    def _expire(self, page: dict[str, Any] | None) -> dict[str, Any] | None:
        if page is None:
            return None
        if page["status"] != "open":
            return error("invalid_request_error", None)
        page |= {"status": "expired", "url": None}
        return page

    def _refund(self, form: dict[str, str]) -> dict[str, Any]:
        refund = {
            "id": f"re_{len(self.refunds) + 1}",
            "object": "refund",
            "amount": int(form["amount"]),
            "status": "succeeded",
            "metadata": {"refund_id": form["metadata[refund_id]"]},
        }
        self.refunds.append(refund)
        return refund


def error(kind: str, code: str | None, param: str = "customer_email") -> dict[str, Any]:
    message = "anna@example.com is refused, see https://checkout.stripe.com/c/pay/cs_test_1#secret"
    return {"error": {"type": kind, "code": code, "param": param, "message": message}}


TOO_SOON = error("invalid_request_error", None, "expires_at")


def listed(data: Any) -> dict[str, Any]:
    return {"object": "list", "has_more": False, "url": "/v1/list", "data": list(data)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stripe: FakeStripe
    again: tuple[int, bytes] | None = None

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, url.path, dict(parse_qsl(body or url.query)), headers)
        self.stripe.requests.append(request)
        if self.again:
            self._write(*self.again)
        self._follow(self.stripe.script.pop(0) if self.stripe.script else "well", request)

    def do_GET(self) -> None:
        self.do_POST()

    def _follow(self, step: Any, request: Request) -> None:
        match step:
            case "silence":
                self.stripe.over.wait(30)
            case "close":
                pass
            case "lost":
                self.stripe.answer(request)
            case "page":
                return self._write(200, b"<html>a proxy's page</html>")
            case "well" | "twice":
                status, document = self.stripe.answer(request)
                self._write(status, json.dumps(document).encode())
                self.again = (status, json.dumps(document).encode()) if step == "twice" else None
                return None
            case (status, code):
                return self._write(status, json.dumps(error("invalid_request_error", code)).encode())
            case status:
                return self._write(status, json.dumps(error("api_error", None)).encode())
        self.close_connection = True
        return None

    def _write(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nRequest-Id: req_1\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *arguments: Any) -> None:
        """Say nothing of clients that closed the connection: here they do."""


@pytest.fixture
def stripe_server() -> Iterator[FakeStripe]:
    """Serve a FakeStripe on loopback."""

    class OfThisTest(Handler):
        pass

    server = Server(("127.0.0.1", 0), OfThisTest)
    OfThisTest.stripe = FakeStripe(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield OfThisTest.stripe
    OfThisTest.stripe.over.set()
    server.shutdown()
    server.server_close()
