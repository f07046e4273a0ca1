"""The log of what happened to orders, for staff and for other services."""

from __future__ import annotations

from chassis.auth.roles import REFUSALS
from chassis.http.api import staff_or_services
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, raw_json
from order_service.events import queries, rules
from order_service.events.schemas import EventQuery, EventsOut
from order_service.orders.rules import FeedTooOld
from order_service.services import Services

events = staff_or_services("events", __name__)


@events.get(
    "/events",
    operation_id="list_events",
    responses=responses({200: EventsOut}, 400, 401, *REFUSALS, rules.LogChanged, FeedTooOld),
)
def list_events(services: Services, query: EventQuery) -> JsonResponse:
    """List what happened to orders, oldest first; no event appears later before one that was listed."""
    types = query.types.split(",") if query.types else None
    return raw_json(queries.read(services.database, after=query.after, limit=query.limit, types=types))
