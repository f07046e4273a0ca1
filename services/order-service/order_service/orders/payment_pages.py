"""The way to the page on which an order is paid, which is the payment provider's.

A browser follows no form to another host: the Content-Security-Policy forbids that, redirects included. So the form
leads to a page of the shop, and that page leads on.
"""

from __future__ import annotations

from flask import Response

from chassis.pages.blueprint import signed_in_pages
from chassis.pages.responses import go_to, page
from chassis.pages.visitors import caller
from chassis.problems import Conflict, Unavailable
from order_service.services import current_services

payment_pages = signed_in_pages("payment pages", __name__, "/shop")

ORDERS = "/shop/orders"


@payment_pages.post("/orders/<order_id>/pay")
def pay(order_id: str) -> Response:
    """Open the order's payment page, or the one that is open, and lead there."""
    return to_payment(order_id)


def to_payment(order_id: str) -> Response:
    """Open the payment page and lead there; when that is not possible, the order's page says why."""
    try:
        current_services().open_payment(buyer_id=caller().user_id, order_id=order_id)
    except Conflict:  # paid, cancelled or expired meanwhile
        return go_to(f"{ORDERS}/{order_id}")
    except Unavailable:
        return go_to(f"{ORDERS}/{order_id}?done=payment-unavailable")
    return go_to(f"{ORDERS}/{order_id}/pay")


@payment_pages.get("/orders/<order_id>/pay")
def go_on(order_id: str) -> Response:
    """Lead on to the payment page that is open."""
    url = current_services().payment_url(buyer_id=caller().user_id, order_id=order_id)
    return page("orders/pay.html", url=url) if url else go_to(f"{ORDERS}/{order_id}")
