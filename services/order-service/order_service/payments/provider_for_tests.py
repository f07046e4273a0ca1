"""PAYMENT_PROVIDER=test: a provider that takes no money, with pages in the shop (pages.py).

It behaves as a real one: it keeps its own state, in the table test_payment_pages, and signs its events. The key is
made from SERVICE_CREDENTIAL, whose local default is known to everybody; so stage and prod refuse this provider.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from chassis.db.database import Database, Row
from chassis.db.statement import Statement
from order_service.payments.provider import Event, ForgedEvent, Page, Payment, Refund, RefundState, State

PATH = "/shop/test-payment"
STATES = {"page.paid": State("paid"), "page.failed": State("failed"), "page.expired": State("expired")}

OPEN = Statement("""-- open_test_page
INSERT INTO test_payment_pages (id, payment_id, amount_minor, currency, expires_at)
VALUES (%(id)s, %(payment_id)s, %(amount_minor)s, %(currency)s, %(expires_at)s)
ON CONFLICT DO NOTHING
""")
SHOW = """
SELECT id, payment_id, amount_minor, currency, expires_at,
       CASE WHEN status = 'open' AND expires_at <= now() THEN 'expired' ELSE status END AS status
FROM test_payment_pages WHERE id = %(id)s
"""
END = Statement("""-- end_test_page
UPDATE test_payment_pages SET status = %(status)s
WHERE id = %(id)s AND status <> 'paid'
    AND (CAST(%(late)s AS boolean) OR (status = 'open' AND (expires_at > now() OR %(status)s = 'expired')))
RETURNING id
""")
# A refund that is there already stays as it is: asking again asks for its state.
REFUND = Statement("""-- refund_test_page
UPDATE test_payment_pages
SET refunds = jsonb_build_object(CAST(%(refund_id)s AS text), CAST(%(amount_minor)s AS bigint)) || refunds
WHERE id = %(id)s AND status = 'paid' AND (refunds ? CAST(%(refund_id)s AS text) OR amount_minor >=
    %(amount_minor)s + (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(refunds)))
RETURNING id
""")


class ProviderForTests:
    name = "test"

    def __init__(self, database: Database, credentials: Sequence[str], public_url: str) -> None:
        self._database = database
        self._keys = [Webhook(b64encode(_derive(credential)).decode()) for credential in credentials]
        self._page_key = _derive(credentials[0])
        self._url = public_url.rstrip("/") + PATH

    def open(self, payment: Payment) -> Page:
        page_id = hmac.digest(self._page_key, payment.id.bytes, "sha256").hex()[:32]
        page = {"id": page_id, "payment_id": payment.id, "amount_minor": payment.amount_minor}
        with self._database.transaction("open_test_page") as connection:
            limits = {"currency": payment.currency, "expires_at": payment.expires_at}
            connection.shared_cursor.execute(OPEN, {**page, **limits})
        return Page(page_id, f"{self._url}/{page_id}")

    def expire(self, provider_id: str) -> State:
        self.end(provider_id, "expired")
        return self.state(provider_id)

    def state(self, provider_id: str) -> State:
        page = self.page(provider_id)
        if page is None:
            return State("expired")
        if page.status == "paid":
            return State("paid", page.id, page.amount_minor, page.currency)
        return State(page.status)

    def refund(self, refund: Refund) -> RefundState:
        wanted = {"id": refund.reference, "refund_id": str(refund.id), "amount_minor": refund.amount_minor}
        if self._database.fetch_one(REFUND, wanted):
            return RefundState("done", provider_id=f"refund-{refund.id}")
        return RefundState("failed", failure="the page was not paid, or less is left of it")

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        self._verify(body, dict(headers))
        event = orjson.loads(body)
        page_id, kind = event["page"], event["type"]
        state = STATES.get(kind)
        if state and state.status == "paid":
            state = State("paid", page_id, event["amount_minor"], event["currency"])
        return Event(event["id"], kind, page_id, state)

    def _verify(self, body: bytes, headers: dict[str, str]) -> None:
        """Accept a signature by any of the credentials, so that they can be exchanged."""
        for key in self._keys:
            try:
                key.verify(body, headers, json_parse=False)
            except (WebhookVerificationError, ValueError) as failure:  # ValueError: no text, or no base64
                refused = failure
            else:
                return
        raise ForgedEvent(str(refused)) from refused

    def page(self, page_id: str) -> Row:
        """Return the page for people; None when there is none."""
        return self._database.fetch_one(SHOW, {"id": page_id})

    def end(self, page_id: str, status: str, *, late: bool = False) -> bool:
        """Let a page end as paid, failed or expired; with `late` also one that ended, but never one that was paid."""
        return self._database.fetch_one(END, {"id": page_id, "status": status, "late": late}) is not None

    def event(self, page_id: str) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of the event that tells the page's state; its id is that of the state."""
        page = self.page(page_id)
        kind = f"page.{page.status}"
        event = {"id": f"{page_id}-{page.status}", "type": kind, "page": page_id}
        return self.signed({**event, "amount_minor": page.amount_minor, "currency": page.currency})

    def signed(self, event: Mapping[str, object]) -> tuple[bytes, dict[str, str]]:
        body, now = orjson.dumps(event), datetime.now(UTC)
        signature = self._keys[0].sign(str(event["id"]), now, body.decode())
        times = {"webhook-timestamp": str(int(now.timestamp()))}
        return body, {"webhook-id": str(event["id"]), **times, "webhook-signature": signature}


def _derive(credential: str) -> bytes:
    return hmac.digest(credential.encode(), b"events of the test provider", "sha256")
