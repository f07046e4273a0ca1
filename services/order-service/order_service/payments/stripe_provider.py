"""Payments by Stripe Checkout. Importing this costs 0.2 seconds and 12 MB: do it only with PAYMENT_PROVIDER=stripe."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice
from typing import Any

import stripe

from order_service.payments.provider import (
    Event,
    ForgedEvent,
    Page,
    Payment,
    Provider,
    ProviderRefused,
    ProviderUnavailable,
    Refund,
    RefundState,
    State,
)
from order_service.payments.stripe_amounts import NotChargeable, to_stripe
from order_service.payments.stripe_answers import event_of, refund_id_of, refund_state_of, state_of
from order_service.settings import Settings

TIMEOUT = (2.0, 3.0)  # seconds: to connect, and without a byte of the response
RETRIES = 1
TOLERANCE_SECONDS = 300  # age of an event
# Stripe wants at least 30 minutes from now, and at most 24 hours: see settings.payment_window_minutes.
STRIPE_EXPIRES_LATER = timedelta(minutes=31)
MOST_PAGES_SEARCHED = 1000

log = logging.getLogger(__name__)


class StripeProvider(Provider):
    """Hosted pages of Stripe Checkout, one line each: the order's number and its total.

    What Stripe cannot answer now raises ProviderUnavailable. So does a key that Stripe does not accept (401, 403): a
    later attempt succeeds once the operator has mended it. Any other 4xx says that the request is wrong: it raises
    ProviderRefused, and the same request would be refused again; a refund becomes "failed" instead. Refusals are logged
    as errors, with Stripe's request id and without its message, which may quote the customer's data.
    """

    name = "stripe"

    def __init__(self, settings: Settings, timeout: tuple[float, float] = TIMEOUT) -> None:
        stripe.enable_telemetry = False  # the library has this for the whole process only
        logging.getLogger("stripe").setLevel(logging.WARNING)  # DEBUG would log whole requests and responses
        self._webhook_secret = settings.stripe_webhook_secret or ""
        self._client = stripe.StripeClient(
            settings.stripe_secret_key or "",
            base_addresses={"api": settings.stripe_api_base} if settings.stripe_api_base else None,
            http_client=stripe.RequestsClient(timeout=timeout),
            max_network_retries=RETRIES,
        )

    def open(self, payment: Payment) -> Page:
        """Open a page. Stripe expires it half an hour after the shop, whose job expires it first."""
        with _translated("open"):
            page = self._opened(payment)
        _require(page.get("client_reference_id") == str(payment.id))
        if not page.get("url"):
            raise ProviderUnavailable("open: the page has no address any more")
        return Page(page["id"], page["url"])

    def _opened(self, payment: Payment) -> dict[str, Any]:
        end = int((payment.expires_at + STRIPE_EXPIRES_LATER).timestamp())
        try:
            return self._create(payment, f"payment-{payment.id}", {"expires_at": end})
        except stripe.IdempotencyError:  # opened before, with another email perhaps
            return self._find(payment)
        except stripe.InvalidRequestError as refusal:
            if refusal.param != "expires_at":
                raise
            # The order's time is over and no page was opened in it, so a job wants one only to expire it.
            return self._create(payment, f"payment-{payment.id}-late", {})

    def _create(self, payment: Payment, key: str, end: dict[str, int]) -> dict[str, Any]:
        about = {"payment_id": str(payment.id), "order_number": payment.order_number}
        # Nothing of this may depend on the time of the call: the idempotency key stands for the same parameters only.
        parameters: Any = {
            **end,
            "mode": "payment",
            "line_items": [_line(payment)],
            "client_reference_id": str(payment.id),
            "metadata": about,
            "payment_intent_data": {"metadata": about, "description": payment.order_number},
            "success_url": payment.return_url,
            "cancel_url": payment.return_url,
            "adaptive_pricing": {"enabled": False},  # the order's currency and no other
        }
        if payment.email:
            parameters["customer_email"] = payment.email
        return self._client.v1.checkout.sessions.create(parameters, {"idempotency_key": key}).to_dict()

    def _find(self, payment: Payment) -> dict[str, Any]:
        """Return the page of a payment; its id, a UUIDv7, says when it began."""
        began = (payment.id.int >> 80) // 1000
        sessions = self._client.v1.checkout.sessions.list({"created": {"gte": began - 60}, "limit": 100})
        for session in islice(sessions.auto_paging_iter(), MOST_PAGES_SEARCHED):
            if session.client_reference_id == str(payment.id):
                return session.to_dict()
        raise ProviderUnavailable("open: the page that this payment opened is not to be found")

    def expire(self, provider_id: str) -> State:
        """Expire a page. "open" says that it could not be: a payment that takes days is under way."""
        with _translated("expire"):
            with suppress(stripe.InvalidRequestError):  # complete, or expired before
                self._client.v1.checkout.sessions.expire(provider_id)
            return self._state(provider_id)

    def state(self, provider_id: str) -> State:
        """Ask for the state of a page."""
        with _translated("state"):
            return self._state(provider_id)

    def _state(self, provider_id: str) -> State:
        page = self._client.v1.checkout.sessions.retrieve(provider_id, {"expand": ["payment_intent"]}).to_dict()
        _require(page.get("id") == provider_id)
        return state_of(page)

    def refund(self, refund: Refund) -> RefundState:
        """Return money, once: Stripe forgets idempotency keys after a day, so look first.

        A refund that Stripe refuses is "failed". A payment that the account does not know is refused: the key is wrong.
        """
        with _translated("refund"):
            answer = self._found(refund)
            try:
                answer = answer or self._refund(refund)
            except (stripe.InvalidRequestError, stripe.CardError) as refusal:
                if refusal.code == "resource_missing":
                    raise
                _log_refusal("refund", refusal)
                return RefundState("failed", None, refusal.code or "refused")
            except NotChargeable as refusal:
                return RefundState("failed", None, str(refusal))
        _require(answer.get("object") == "refund" and refund_id_of(answer) in {str(refund.id), None})
        return refund_state_of(answer)

    def _found(self, refund: Refund) -> dict[str, Any] | None:
        refunds = self._client.v1.refunds.list({"payment_intent": refund.reference, "limit": 100})
        found = (each.to_dict() for each in refunds.auto_paging_iter())
        return next((each for each in found if refund_id_of(each) == str(refund.id)), None)

    def _refund(self, refund: Refund) -> dict[str, Any]:
        parameters: Any = {
            "payment_intent": refund.reference,
            "amount": to_stripe(refund.amount_minor, refund.currency),
            "metadata": {"refund_id": str(refund.id)},
        }
        return self._client.v1.refunds.create(parameters, {"idempotency_key": f"refund-{refund.id}"}).to_dict()

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Verify an event, then parse it; of another page than ours it has no state."""
        signature = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), None)
        try:
            verified = self._client.construct_event(body, signature, self._webhook_secret, TOLERANCE_SECONDS)
        except (stripe.SignatureVerificationError, ValueError, TypeError, AttributeError) as error:
            raise ForgedEvent(type(error).__name__) from None  # its message may quote the event
        return event_of(verified.to_dict())


def _require(answers_the_request: bool) -> None:
    """Refuse an answer about something else, which a broken proxy may send over a connection that it shares."""
    if not answers_the_request:
        raise ProviderUnavailable("the answer is about something else")


def _line(payment: Payment) -> dict[str, Any]:
    price = {
        "currency": payment.currency.lower(),
        "unit_amount": to_stripe(payment.amount_minor, payment.currency),
        "product_data": {"name": payment.order_number},
    }
    return {"quantity": 1, "price_data": price}


@contextmanager
def _translated(call: str) -> Iterator[None]:
    """Raise what the interface promises. The library's errors carry bodies, headers and messages: none is passed on."""
    try:
        yield
    except NotChargeable as error:
        log.error("payment_provider_refused", extra={"call": call, "reason": str(error)})  # noqa: TRY400 - no traceback
        raise ProviderRefused(f"{call}: {error}") from None
    except stripe.StripeError as error:
        raise _translate(call, error) from None


def _translate(call: str, error: stripe.StripeError) -> ProviderUnavailable:
    status, kind = error.http_status, type(error).__name__
    is_refusal = status is not None and 400 <= status < 500 and status not in {409, 429}  # noqa: PLR2004 - statuses
    if not is_refusal or isinstance(error, stripe.RateLimitError):
        log.warning("payment_provider_unavailable", extra={"call": call, "status": status, "error": kind})
        return ProviderUnavailable(f"{call}: {kind} {status or ''}".rstrip())
    _log_refusal(call, error)
    is_our_key = status in {401, 403}
    return (ProviderUnavailable if is_our_key else ProviderRefused)(
        f"{call}: {kind} {status} {error.code or ''}".rstrip()
    )


def _log_refusal(call: str, error: stripe.StripeError) -> None:
    details = {"status": error.http_status, "code": error.code, "param": getattr(error, "param", None)}
    log.error(
        "payment_provider_refused",
        extra={"call": call, "error": type(error).__name__, **details, "stripe_request": error.request_id},
    )
