"""Pages with which staff refund an order: what, then the exact amount, and only then the money moves."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from typing import Any, cast

from flask import Response, request

from chassis.http.api import Query
from chassis.pages.blueprint import staff_pages
from chassis.pages.formatting import price
from chassis.pages.forms import Form, form_page, read_form, typed
from chassis.pages.responses import go_to
from chassis.pages.visitors import caller
from chassis.problems import Problem
from order_service import money
from order_service.fulfilment.pages import order_url, read_order
from order_service.idempotency import Key
from order_service.refunds import actions, rules
from order_service.refunds.schemas import RefundIn
from order_service.services import current_services

refund_pages = staff_pages("refund pages", __name__, "/backoffice")

_UNITS = re.compile(r"[0-9]{1,6}")
_OTHERS = ("shipping", "amount", "restock", "reason")


class Confirmed(Query):
    """What the confirmation carries: sending it twice refunds once, and only the amount that it said."""

    key: Key | None = None
    expected: int | None = None


@refund_pages.get("/orders/<order_id>/refund")
def ask(order_id: str) -> Response:
    """Ask what to refund; `all` fills in everything that is left."""
    order = read_order(order_id)
    if "refund" not in order["accepts"]:
        return go_to(order_url(order_id))
    return refund_page(order, Form(_everything(order) if "all" in request.args else {}), 200)


def refund_page(order: dict[str, Any], form: Form[RefundIn], status: int) -> Response:
    form.status = status
    return form_page("fulfilment/refund.html", form, order=order)


def _everything(order: dict[str, Any]) -> dict[str, str]:
    left = {_field(line): str(line["qty"] - line["refunded_qty"]) for line in order["lines"]}
    return {**left, "shipping": "true" if order["refundable"]["shipping"] else ""}


@refund_pages.post("/orders/<order_id>/refund")
def refund(order_id: str) -> Response:
    """Say the exact amount and ask to confirm it; refund once that is confirmed."""
    order = read_order(order_id)
    form = refund_form(order)
    if form.model is None or request.form.get("do") == "change":
        return refund_page(order, form, 400 if form.errors else 200)
    confirmed = Confirmed.model_validate({name: request.form.get(name) or None for name in Confirmed.model_fields})
    try:
        if request.form.get("do") == "refund" and confirmed.key and confirmed.expected:
            return _refund(order, form.model, confirmed.key, confirmed.expected)
        return confirm_page(order, form)
    except rules.AmountChanged as refused:
        form.refuse("The amount has changed since it was shown. Look at it again before you refund it.")
        return confirm_page(order, form, refused.status)
    except Problem as refused:
        _note(form, refused, order)
        return refund_page(order, form, refused.status)


def _refund(order: dict[str, Any], model: RefundIn, key: str, expected: int) -> Response:
    actions.request_refund(
        current_services().database,
        staff=caller(),
        order_id=order["order_id"],
        wanted=_wanted(model),
        idempotency_key=key,
        expected=expected,
    )
    return go_to(order_url(order["order_id"], "refunded"))


@refund_pages.post("/orders/<order_id>/refunds/<refund_id>/retry")
def retry(order_id: str, refund_id: str) -> Response:
    """Try a failed refund again; show the order when there is nothing to try, such as after a double click."""
    with suppress(rules.NotRetriable):
        actions.retry_refund(current_services().database, staff=caller(), order_id=order_id, refund_id=refund_id)
    return go_to(order_url(order_id, "refunded"))


def confirm_page(order: dict[str, Any], form: Form[RefundIn], status: int = 200) -> Response:
    """Return the page that says the exact amount; raise what refuses the refund."""
    model = cast("RefundIn", form.model)
    priced = actions.price_refund(current_services().database, order_id=order["order_id"], wanted=_wanted(model))
    form.status = status
    return form_page(
        "fulfilment/refund-confirm.html",
        form,
        order=order,
        refund=model,
        names={line["line"]: line["name"] for line in order["lines"]},
        expected=priced.minor,
        amount=money.amount(priced.minor, priced.currency),
        key=secrets.token_urlsafe(16),
    )


def _wanted(model: RefundIn) -> actions.Wanted:
    return actions.Wanted(
        lines=[(cast("int", line.line), line.qty) for line in model.lines] or None,
        shipping=model.shipping,
        amount=model.amount,
        restock=model.restock,
        reason=model.reason,
    )


def refund_form(order: dict[str, Any]) -> Form[RefundIn]:
    """Return the form; each line of the order has a field for its units."""
    fields = {_field(line): line for line in order["lines"]}
    values = typed([*fields, *_OTHERS])
    faults = dict[str, str]()
    lines = [{"line": line["line"], "qty": _units(values, name, line, faults)} for name, line in fields.items()]
    given: dict[str, Any] = {name: bool(values[name]) for name in ("shipping", "restock")}
    given |= {"lines": [line for line in lines if line["qty"]]}
    given |= {"reason": values["reason"]} if values["reason"] else {}
    if values["amount"]:
        given["amount"] = _amount(values["amount"], order["currency"], faults)
    return _checked(values, given, faults)


def _checked(values: dict[str, str], given: dict[str, Any], faults: dict[str, str]) -> Form[RefundIn]:
    units = bool(given["lines"] or given["shipping"])
    if not faults and units == ("amount" in given):
        faults[""] = (
            "Refund either units and shipping, or an amount: not both."
            if units
            else "Say what to refund: units, the shipping, or an amount."
        )
    if given["restock"] and not given["lines"]:
        faults["restock"] = "Only units can return to the stock: say how many of which line."
    if faults:
        given |= {"lines": [], "shipping": True, "restock": False, "amount": None}  # the reason is checked too
    form = read_form(RefundIn, values, given)
    for field, fault in faults.items():
        form.refuse(fault, field)
        form.model = None
    return form


def _units(values: dict[str, str], name: str, line: dict[str, Any], faults: dict[str, str]) -> int:
    text, left = values[name] or "0", line["qty"] - line["refunded_qty"]
    if not _UNITS.fullmatch(text):
        faults[name] = f"Write how many of {line['name']}, such as 1."
        return 0
    if int(text) > left:
        faults[name] = f"Only {left} of {line['name']} can still be refunded."
    return int(text)


def _amount(text: str, currency: str, faults: dict[str, str]) -> float | None:
    try:
        return float(money.amount(money.parse(text, currency), currency))
    except ValueError as refused:
        faults["amount"] = str(refused)
    return None


def _field(line: dict[str, Any]) -> str:
    return f"units_{line['line']}"


def _note(form: Form[Any], refused: Problem, order: dict[str, Any]) -> None:
    """Note a refusal in words for people; those of the API speak of its members."""
    if isinstance(refused, rules.RefundTooLarge):
        rest = price(refused.members["refundable"], order["currency"])
        form.refuse(f"At most {rest} can still be refunded.", "amount" if form.values["amount"] else "")
    elif isinstance(refused, rules.ShippingRefunded):
        form.refuse("The shipping was refunded before.", "shipping")
    else:
        form.refuse_with(refused)
