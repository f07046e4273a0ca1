"""Routes with which staff find and change customers."""

from __future__ import annotations

from chassis.auth.roles import REFUSALS
from chassis.context import Caller
from chassis.http.api import staff
from chassis.http.openapi import responses
from chassis.http.pagination import decode_cursor, encode_cursor
from chassis.http.responses import JsonResponse, json_response, no_content
from user_service.customers import actions, queries
from user_service.customers.rules import IsDisabled, IsStaff, NoAddress
from user_service.customers.schemas import (
    CustomerOut,
    CustomerPath,
    CustomerQuery,
    CustomerSessionPath,
    CustomerSessionsOut,
    CustomersOut,
)
from user_service.recovery.schemas import AcceptedOut
from user_service.services import Services

customers = staff("customers", __name__)

CUSTOMER = "/staff/customers/<customer_id>"
CHANGING = responses({200: CustomerOut}, 400, 401, *REFUSALS, 404, IsStaff)


@customers.get(
    "/staff/customers",
    operation_id="list_customers",
    responses=responses({200: CustomersOut}, 400, 401, *REFUSALS, headers=("Link",)),
)
def list_customers(services: Services, query: CustomerQuery) -> JsonResponse:
    """List the customers that match, newest first."""
    after = query.after and str(decode_cursor(query.after, str)[0])
    found, following = queries.list_customers(services.database, q=query.q, limit=query.limit, after=after)
    response = json_response(found)
    response.next_cursor = encode_cursor(following) if following else None
    return response


@customers.get(
    CUSTOMER, operation_id="show_customer", responses=responses({200: CustomerOut}, 400, 401, *REFUSALS, 404)
)
def show(services: Services, path: CustomerPath) -> JsonResponse:
    """Show one customer."""
    return _customer(services, path)


@customers.post(f"{CUSTOMER}/disable", operation_id="disable_customer", responses=CHANGING)
def disable(services: Services, caller: Caller, path: CustomerPath) -> JsonResponse:
    """End a customer's sessions and refuse further sign-ins."""
    actions.disable(services.database, staff=caller, customer_id=path.customer_id)
    return _customer(services, path)


@customers.post(f"{CUSTOMER}/enable", operation_id="enable_customer", responses=CHANGING)
def enable(services: Services, caller: Caller, path: CustomerPath) -> JsonResponse:
    """Let a disabled customer sign in again."""
    actions.enable(services.database, staff=caller, customer_id=path.customer_id)
    return _customer(services, path)


@customers.delete(
    f"{CUSTOMER}/second-factor",
    operation_id="reset_second_factor",
    responses=responses({204: None}, 400, 401, *REFUSALS, 404, IsStaff),
)
def reset_second_factor(services: Services, caller: Caller, path: CustomerPath) -> JsonResponse:
    """Switch off the second factor of a customer who lost it; all sessions end."""
    actions.reset_second_factor(services.database, staff=caller, customer_id=path.customer_id)
    return no_content()


@customers.post(
    f"{CUSTOMER}/reset-mail",
    operation_id="send_reset_mail",
    responses=responses({202: AcceptedOut}, 400, 401, *REFUSALS, 404, NoAddress, IsDisabled),
)
def send_reset_mail(services: Services, caller: Caller, path: CustomerPath) -> JsonResponse:
    """Mail a code for a new password to the customer's address."""
    actions.send_reset_mail(services.database, staff=caller, customer_id=path.customer_id)
    return json_response({"message": "a mail is on its way"}, status=202)


@customers.get(
    f"{CUSTOMER}/sessions",
    operation_id="list_customer_sessions",
    responses=responses({200: CustomerSessionsOut}, 400, 401, *REFUSALS, 404),
)
def list_sessions(services: Services, path: CustomerPath) -> JsonResponse:
    """List a customer's live sessions, newest first."""
    return json_response(queries.list_sessions(services.database, customer_id=path.customer_id))


@customers.delete(
    f"{CUSTOMER}/sessions",
    operation_id="end_customer_sessions",
    responses=responses({204: None}, 400, 401, *REFUSALS, 404),
)
def end_all_sessions(services: Services, caller: Caller, path: CustomerPath) -> JsonResponse:
    """End all sessions of a customer."""
    actions.end_all_sessions(services.database, staff=caller, customer_id=path.customer_id)
    return no_content()


@customers.delete(
    f"{CUSTOMER}/sessions/<session_id>",
    operation_id="end_customer_session",
    responses=responses({204: None}, 400, 401, *REFUSALS, 404),
)
def end_session(services: Services, caller: Caller, path: CustomerSessionPath) -> JsonResponse:
    """End one session of a customer."""
    actions.end_session(services.database, staff=caller, **path.model_dump())
    return no_content()


def _customer(services: Services, path: CustomerPath) -> JsonResponse:
    return json_response(queries.show_customer(services.database, customer_id=path.customer_id))
