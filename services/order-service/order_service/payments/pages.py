"""The payment page of PAYMENT_PROVIDER=test.

It is public, as a provider's page is: it knows no customer of the shop, and its id is what nobody can guess.
"""

from __future__ import annotations

from flask import Response, request

from chassis.pages.blueprint import public_pages
from chassis.pages.responses import go_to, page
from chassis.problems import InvalidRequest, NotFound
from order_service.money import amount
from order_service.payments import actions, queries, rules
from order_service.payments.provider_for_tests import ProviderForTests
from order_service.services import current_services

test_payment_pages = public_pages("test payment pages", __name__, "/shop")

ENDS = {"approve": "paid", "twice": "paid", "late": "paid", "decline": "failed"}
"""How the page ends by the button; `late` pays on a page that has ended, `twice` sends the event twice."""


@test_payment_pages.get("/test-payment/<page_id>")
def show(page_id: str) -> Response:
    """Show what is to be paid."""
    return _page(page_id)


@test_payment_pages.post("/test-payment/<page_id>")
def end(page_id: str) -> Response:
    """End the page as the button says, tell the shop by an event, and return to the order."""
    services, provider = current_services(), _provider()
    choice = request.form.get("do", "")
    if choice not in ENDS:
        raise InvalidRequest("do: must be approve, decline, late or twice")
    found = provider.page(page_id)
    if found is None:
        raise NotFound
    if not provider.end(page_id, ENDS[choice], late=choice == "late"):
        return _page(page_id, 409)
    body, headers = provider.event(page_id)
    for _ in range(2 if choice == "twice" else 1):
        actions.receive_event(services.database, provider, body, headers)
    order_id = queries.order_of_payment(services.database, payment_id=found.payment_id)
    return go_to(rules.order_path(order_id))


def _page(page_id: str, status: int = 200) -> Response:
    found = _provider().page(page_id)
    if found is None:
        raise NotFound
    order_id = queries.order_of_payment(current_services().database, payment_id=found.payment_id)
    return page(
        "payments/test_payment.html",
        status,
        payment=found,
        amount=amount(found.amount_minor, found.currency),
        order_path=rules.order_path(order_id),
    )


def _provider() -> ProviderForTests:
    provider = current_services().payments
    if not isinstance(provider, ProviderForTests):
        raise NotFound
    return provider
