"""Pages with which staff ship, track, deliver and cancel an order, and change where it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request

from chassis.http.api import Shape
from chassis.http.email import OptionalEmail
from chassis.http.postal import Address
from chassis.pages.blueprint import staff_pages
from chassis.pages.forms import Form, form_page, read_form, typed
from chassis.pages.responses import go_to
from chassis.pages.visitors import caller
from chassis.problems import Conflict
from order_service.fulfilment import actions, rules
from order_service.fulfilment.pages import order_page, order_url, read_order
from order_service.fulfilment.schemas import Cancellation, Shipment
from order_service.orders.schemas import OrderPath
from order_service.services import current_services

action_pages = staff_pages("order actions", __name__, "/backoffice")

_TEXTS = {
    rules.AddressNeeded.code: "It cannot be shipped without an address and an email address. Add them first.",
    rules.CustomerErased.code: "The customer deleted the account: the order takes no email and no address.",
}
CHANGED = "This order has changed since you opened it. Look at it again."


class EmailAlone(Shape):
    """The form of an order without an address, as long as none is typed."""

    email: OptionalEmail = None


class Contact(Address):
    email: OptionalEmail = None


@action_pages.post("/orders/<order_id>/ship")
def ship(order_id: str) -> Response:
    """Note that an order was sent."""
    return _send(order_id, actions.ship, "shipped")


@action_pages.post("/orders/<order_id>/tracking")
def track(order_id: str) -> Response:
    """Replace carrier and tracking of an order that was sent."""
    return _send(order_id, actions.track, "tracked")


def _send(order_id: str, act: Callable[..., str], done: str) -> Response:
    path = OrderPath(order_id=order_id)
    form = read_form(Shipment, typed(Shipment.model_fields))
    if form.model is None:
        return order_page(read_order(path.order_id), form)
    shipment = form.model.model_dump()
    return _act(path.order_id, form, done, lambda db: act(db, staff=caller(), order_id=path.order_id, **shipment))


@action_pages.post("/orders/<order_id>/deliver")
def deliver(order_id: str) -> Response:
    """Note that an order arrived."""
    path, form = OrderPath(order_id=order_id), Form[Any]({})
    return _act(
        path.order_id, form, "delivered", lambda db: actions.deliver(db, staff=caller(), order_id=path.order_id)
    )


def _act(order_id: str, form: Form[Any], done: str, act: Callable[[Any], str]) -> Response:
    try:
        act(current_services().database)
    except Conflict as refused:
        return order_page(read_order(order_id), refuse(form, refused))
    return go_to(order_url(order_id, done))


def refuse(form: Form[Any], refused: Conflict) -> Form[Any]:
    """Return the form with what staff read of a refusal; those of the API speak of its requests."""
    form.answer_as(refused)
    form.refuse(_TEXTS.get(refused.code, CHANGED))
    return form


@action_pages.get("/orders/<order_id>/cancel")
def ask_to_cancel(order_id: str) -> Response:
    """Ask why to cancel an order, and say what is refunded."""
    order = read_order(order_id)
    form = Form[Cancellation]({})
    form.status = 200
    return cancel_page(order, form) if "cancel" in order["accepts"] else go_to(order_url(order_id))


def cancel_page(order: dict[str, Any], form: Form[Any]) -> Response:
    return form_page("fulfilment/cancel.html", form, order=order)


@action_pages.post("/orders/<order_id>/cancel")
def cancel(order_id: str) -> Response:
    """Cancel an order, unless it holds another amount than the page said."""
    order = read_order(order_id)
    form = read_form(Cancellation, typed(Cancellation.model_fields))
    if order["status"] == "cancelled":
        return go_to(order_url(order_id, "cancelled"))
    if form.model and request.form.get("refundable") != str(order["refundable"]["amount"]):
        form.status, form.model = 409, None
        form.refuse("What would be refunded has changed. Look at it again before you cancel.")
    if form.model is None:
        return cancel_page(order, form)
    reason = form.model.reason
    return _act(
        order_id, form, "cancelled", lambda db: actions.cancel(db, staff=caller(), order_id=order_id, reason=reason)
    )


@action_pages.get("/orders/<order_id>/contact")
def ask_for_contact(order_id: str) -> Response:
    """Show where an order goes, and its email, in a form."""
    order = read_order(order_id)
    form = Form[Contact]({**(order["ship_to"] or {}), "email": order["email"]})
    form.status = 200
    return contact_page(order, form) if "address" in order["accepts"] else go_to(order_url(order_id))


def contact_page(order: dict[str, Any], form: Form[Any]) -> Response:
    return form_page("fulfilment/contact.html", form, order=order)


@action_pages.post("/orders/<order_id>/contact")
def change_contact(order_id: str) -> Response:
    """Change where an order goes, or its email."""
    order = read_order(order_id)
    form = contact_form(order)
    if form.model is None:
        return contact_page(order, form)
    changes = form.model.model_dump(exclude_none=True)
    address = {name: changes.pop(name) for name in Address.model_fields if name in changes}
    changes |= {"ship_to": address} if address else {}
    return _act(
        order_id,
        form,
        "changed",
        lambda db: actions.change_contact(db, staff=caller(), order_id=order_id, changes=changes),
    )


def contact_form(order: dict[str, Any]) -> Form[Any]:
    """Return the form; what the order has cannot be emptied."""
    values = typed(Contact.model_fields)
    has_address = order["ship_to"] or any(values[name] for name in Address.model_fields)
    form: Form[Any] = read_form(Contact if has_address else EmailAlone, values, _given(values, has_address))
    if order["email"] and not values["email"]:
        form.refuse("is missing", "email")
        form.model = None
    return form


def _given(values: dict[str, str], has_address: object) -> dict[str, str]:
    return {name: value for name, value in values.items() if value and (has_address or name == "email")}
