"""Pages with which staff find and change customers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Response, request

from chassis.http.pagination import decode_cursor, encode_cursor
from chassis.pages.blueprint import staff_pages
from chassis.pages.responses import go_to, page
from chassis.pages.urls import with_parameters
from chassis.pages.visitors import caller
from chassis.problems import NotFound
from user_service.customers import actions, queries
from user_service.customers.rules import IsDisabled, IsStaff, NoAddress
from user_service.customers.schemas import CustomerPath, CustomerQuery, CustomerSessionPath
from user_service.services import current_services

customer_pages = staff_pages("customer pages", __name__, "/account/backoffice")

CUSTOMERS = "/account/backoffice/customers"
PAGE_SIZE = 50
_CHANGES = {
    "disable": (actions.disable, "disabled"),
    "enable": (actions.enable, "enabled"),
    "end-all": (actions.end_all_sessions, "ended"),
    "reset": (actions.reset_second_factor, "reset"),
    "mail": (actions.send_reset_mail, "mailed"),
}


@customer_pages.get("")
def start() -> Response:
    """Lead to the customers."""
    return go_to(CUSTOMERS)


@customer_pages.get("/customers")
def list_customers() -> Response:
    """List the customers that match, newest first."""
    given = {name: text for name in ("q", "after") if (text := request.args.get(name, "").strip())}
    query = CustomerQuery.model_validate(given | {"limit": str(PAGE_SIZE)})
    after = query.after and str(decode_cursor(query.after, str)[0])
    found, following = queries.list_customers(current_services().database, q=query.q, limit=query.limit, after=after)
    return page(
        "customers/customers.html",
        customers=found,
        query=query,
        first_url=with_parameters(CUSTOMERS, {"q": query.q}),
        next_url=following and with_parameters(CUSTOMERS, {"q": query.q, "after": encode_cursor(following)}),
    )


def customer_url(customer_id: str) -> str:
    return f"{CUSTOMERS}/{quote(customer_id, safe='')}"


@customer_pages.get("/customers/<customer_id>")
def show_customer(customer_id: str) -> Response:
    """Show one customer and their devices."""
    path = CustomerPath(customer_id=customer_id)
    return customer_page(path.customer_id)


def customer_page(customer_id: str, status: int = 200, problem: str = "") -> Response:
    db = current_services().database
    return page(
        "customers/customer.html",
        status,
        customer=queries.show_customer(db, customer_id=customer_id),
        sessions=queries.list_sessions(db, customer_id=customer_id),
        done=request.args.get("done"),
        problem=problem,
    )


@customer_pages.post("/customers/<customer_id>")
def change_customer(customer_id: str) -> Response:
    """Disable or enable the customer, end sessions, reset the second factor, or mail a code for a new password."""
    path = CustomerPath(customer_id=customer_id)
    change, done = _CHANGES.get(request.form.get("do", ""), (None, ""))
    if change is None:
        return customer_page(path.customer_id, 400, "Please use the buttons of this page.")
    try:
        change(current_services().database, staff=caller(), customer_id=path.customer_id)
    except (IsStaff, IsDisabled, NoAddress) as refused:
        return customer_page(path.customer_id, refused.status, refused.error)
    return go_to(f"{customer_url(path.customer_id)}?done={done}")


@customer_pages.post("/customers/<customer_id>/sessions")
def end_session(customer_id: str) -> Response:
    """End one session of the customer."""
    path = CustomerSessionPath(customer_id=customer_id, session_id=request.form.get("session_id", ""))
    parameters: dict[str, Any] = path.model_dump()
    try:
        actions.end_session(current_services().database, staff=caller(), **parameters)
    except NotFound:
        return customer_page(path.customer_id, 404, "This session has ended already.")
    return go_to(f"{customer_url(path.customer_id)}?done=ended")
