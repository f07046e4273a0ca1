"""Pages of the checkout: address, shipping, total, and the order itself."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import orjson
from flask import Response
from markupsafe import Markup
from pydantic import ValidationError

from chassis.http.postal import Address, country_code
from chassis.pages.basket import write_basket
from chassis.pages.blueprint import signed_in_pages
from chassis.pages.cookies import TOKEN
from chassis.pages.formatting import country_name
from chassis.pages.forms import Form, read_form, typed
from chassis.pages.responses import go_to, page
from chassis.pages.visitors import caller
from chassis.problems import Conflict, Problem
from order_service import money
from order_service.checkout import actions as pricing
from order_service.orders import actions, rules
from order_service.orders.basket import Basket
from order_service.orders.basket_pages import BASKET, basket_page, current_basket
from order_service.orders.payment_pages import ORDERS, to_payment
from order_service.orders.saved_address import NOTHING, Saved, digest
from order_service.orders.schemas import Delivery, PlaceHeaders
from order_service.services import current_services

checkout_pages = signed_in_pages("checkout pages", __name__, "/shop")

FIELDS = (*Delivery.model_fields, "to", "key", "saved", "shipping_method", "shown", "total", "do")
UNPAID = Markup(
    'You have unpaid orders of these products. <a href="/shop/orders">Pay or cancel them</a> first, or order less.'
)
AGAIN = "Please look at the total again."


class Checkout(NamedTuple):
    """The basket, what the customer typed or has saved, and what that costs."""

    basket: Basket
    saved: Saved
    form: Form[Delivery]
    offer: pricing.Offer

    @classmethod
    def of(cls, basket: Basket, saved: Saved, form: Form[Delivery]) -> Self:
        wanted = form.values.get("shipping_method") or ""
        return cls(basket, saved, form, offer(basket, country(form.values, saved), wanted))

    @property
    def total(self) -> int:
        """What the quote says, in the smallest unit."""
        return money.to_minor(self.offer.quote["total"], self.basket.currency)

    @property
    def shown(self) -> str:
        """What the total is made for, for a hidden field."""
        return f"{self.offer.country}/{self.offer.method}" if self.offer.depends else ""

    def page(self, status: int = 200, problem: str = "") -> Response:
        of_saved = digest(self.saved.address) if self.saved.address else ""
        return page("orders/checkout.html", status, **self._asdict(), checkout=self, of_saved=of_saved, problem=problem)


def offer(basket: Basket, country: str | None, wanted: str) -> pricing.Offer:
    services = current_services()
    return pricing.offer(
        services.database,
        basket=basket.quantities,
        country=country,
        wanted=wanted,
        prices_include_tax=services.terms.prices_include_tax,
    )


def country(values: Mapping[str, Any], saved: Saved) -> str | None:
    """Return the country of the address that was chosen; None while there is none."""
    if values["to"] == "saved" and saved.address:
        return str(saved.address["country"])
    try:
        return country_code(values["country"])
    except ValidationError:
        return None


@checkout_pages.get("/checkout")
def checkout() -> Response:
    """Ask where to send the basket."""
    basket = current_basket()
    if not basket.can_be_ordered or basket.gone:
        return go_to(BASKET)
    saved = read_saved()
    to = "saved" if saved.address else "other"
    return Checkout.of(basket, saved, Form({"to": to, "country": "", "email": saved.email, "key": new_key()})).page()


def read_saved() -> Saved:
    """Return address and email of the caller's profile."""
    services = current_services()
    if services.saved_addresses is None or not services.sign_in_available():
        return NOTHING
    return services.saved_addresses.get(TOKEN.read(services.settings))


@checkout_pages.post("/checkout")
def order() -> Response:
    """Place the order for what the page showed; anything else is shown again first."""
    basket = current_basket()
    if not basket.can_be_ordered or basket.gone:
        return go_to(BASKET)
    saved = read_saved()
    form = delivery_form(saved)
    try:
        return place_or_show(Checkout.of(basket, saved, form))
    except (rules.PriceChanged, rules.ShippingUnavailable):
        return Checkout.of(current_basket(), saved, form).page(409, f"The price has changed. {AGAIN}")
    except (Conflict, rules.UnknownProduct, rules.KeyReused) as refused:
        return after_refusal(refused)


def delivery_form(saved: Saved) -> Form[Delivery]:
    """Return email and address of this order: the saved one, or the one that was typed."""
    values = typed(FIELDS)
    of_address = saved.address if values["to"] == "saved" else None
    fields = of_address or {name: values[name] for name in Address.model_fields}
    form = read_form(Delivery, {**fields, "email": values["email"]})
    form.values = values
    return form


def place_or_show(checkout: Checkout) -> Response:
    form, sent = checkout.form, checkout.form.values
    if sent["do"] == "update":
        form.errors.clear()
        return checkout.page()
    if not sent["key"]:  # without it, the same form sent twice would be two orders
        form.values = {**sent, "key": new_key()}
        return checkout.page(400, "Something was missing. Please look at your order and place it again.")
    if form.model is None:
        return checkout.page(400)
    if changed := what_changed(checkout, form.model):
        return checkout.page(409, changed)
    return place(checkout, form.model)


def what_changed(checkout: Checkout, delivery: Delivery) -> str:
    """Return what is not as the page showed it."""
    sent, offer = checkout.form.values, checkout.offer
    if sent["to"] == "saved" and sent["saved"] != digest(delivery.address):
        return "Your saved address has changed. Please look at it again."
    if offer.served:
        return f"We do not deliver to {country_name(delivery.country)}. Please choose another address."
    if offer.method != sent["shipping_method"]:
        again = "Shipping has changed. Please choose again how we send your order."
        first = f"Please choose how we send your order to {country_name(delivery.country)}, and look at the total."
        return again if sent["shipping_method"] else first
    if str(checkout.total) == sent["total"]:
        return ""
    if checkout.shown != sent["shown"]:
        return "The total has changed with the address or shipping. Please look at it, then place the order."
    return f"Prices or your basket have changed. {AGAIN}"


def place(checkout: Checkout, delivery: Delivery) -> Response:
    services = current_services()
    try:
        placed = actions.place_order(
            services.database,
            buyer=caller(),
            basket=checkout.basket.quantities,
            order=actions.NewOrder(
                ship_to=delivery.address,
                email=delivery.email,
                shipping_method=checkout.offer.method or None,
                expected_total=checkout.offer.quote["total"],
            ),
            terms=services.terms,
            idempotency_key=PlaceHeaders.model_validate(
                {"Idempotency-Key": checkout.form.values["key"]}
            ).idempotency_key,
        )
    except rules.TooManyUnpaid:
        return checkout.page(409, UNPAID)
    response = go_on(placed)
    write_basket(response, services.settings, [])
    return response


def go_on(placed: actions.Placed) -> Response:
    """Lead to the payment, or to the order that needs none."""
    if orjson.loads(placed.receipt)["payment"]["status"] == "not_required":
        return go_to(f"{ORDERS}/{placed.order_id}?done=placed")
    return to_payment(placed.order_id)


def new_key() -> str:
    return secrets.token_urlsafe(16)


def after_refusal(refused: Problem) -> Response:
    """Show the basket as it is now, with the reason why it could not be ordered."""
    texts = {
        rules.OutOfStock.code: "Somebody else was faster: not everything in your basket is still there.",
        rules.KeyReused.code: "This order was sent before. Look at your orders before you send it again.",
        rules.StillInFlight.code: "Your order is still being worked on. Look at your orders in a moment.",
    }
    return basket_page(current_basket(), refused.status, texts.get(refused.code, "Your basket has changed."))
